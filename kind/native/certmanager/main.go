// Command certmanager runs one of the four parts of cert-manager: controller, webhook, cainjector, acmesolver. It takes the
// arguments that cert-manager's chart gives to each, and passes over those that it does not know.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	ctrl "sigs.k8s.io/controller-runtime"

	logf "github.com/cert-manager/cert-manager/pkg/logs"
)

var parts = map[string]func(context.Context, []string) error{
	"controller": runController,
	"webhook":    runWebhook,
	"cainjector": runInjector,
	"acmesolver": runSolver,
}

func main() {
	if len(os.Args) < 2 || parts[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "one of: controller, webhook, cainjector, acmesolver")
		os.Exit(2)
	}
	logf.InitLogs()
	ctrl.SetLogger(logf.Log)
	ctx, stop := signal.NotifyContext(logf.NewContext(context.Background(), logf.Log), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := parts[os.Args[1]](ctx, os.Args[2:]); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
