package main

import (
	"context"

	"github.com/spf13/pflag"
	apiext "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	kscheme "k8s.io/client-go/kubernetes/scheme"
	apireg "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/cert-manager/cert-manager/internal/webhook"
	cmscheme "github.com/cert-manager/cert-manager/pkg/client/clientset/versioned/scheme"
	"github.com/cert-manager/cert-manager/pkg/controller/cainjector"
	"github.com/cert-manager/cert-manager/pkg/issuer/acme/http/solver"
	logf "github.com/cert-manager/cert-manager/pkg/logs"
	"github.com/cert-manager/cert-manager/pkg/util"
	"github.com/cert-manager/cert-manager/pkg/webhook/options"
)

// The admission webhook: it fills in defaults, and refuses what is wrong.
func runWebhook(ctx context.Context, args []string) error {
	config, err := options.NewWebhookConfiguration()
	if err != nil {
		return err
	}
	flags := pflag.NewFlagSet("webhook", pflag.ContinueOnError)
	flags.ParseErrorsWhitelist.UnknownFlags = true
	options.AddConfigFlags(flags, config)
	if err := flags.Parse(args); err != nil {
		return err
	}
	server, err := webhook.NewCertManagerWebhookServer(logf.Log, *config)
	if err != nil {
		return err
	}
	return server.Run(ctx)
}

// Tells the API server by which authority it knows the webhook.
func runInjector(ctx context.Context, _ []string) error {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		kscheme.AddToScheme, cmscheme.AddToScheme, apireg.AddToScheme, apiext.AddToScheme,
	} {
		utilruntime.Must(add(scheme))
	}
	config, err := ctrl.GetConfig()
	if err != nil {
		return err
	}
	// Its name is the field manager of what it applies, without which the API server takes nothing.
	config = util.RestConfigWithUserAgent(config, "cainjector")
	manager, err := ctrl.NewManager(config, ctrl.Options{Scheme: scheme, Metrics: metricsserver.Options{BindAddress: "0"}})
	if err != nil {
		return err
	}
	all := map[string]bool{
		"mutatingwebhookconfiguration": true, "validatingwebhookconfiguration": true,
		"apiservice": true, "customresourcedefinition": true,
	}
	if err := cainjector.RegisterAllInjectors(ctx, manager, cainjector.SetupOptions{EnabledReconcilersFor: all}); err != nil {
		return err
	}
	return manager.Start(ctx)
}

// Answers the challenge of one host, until it is ended.
func runSolver(ctx context.Context, args []string) error {
	flags := pflag.NewFlagSet("acmesolver", pflag.ContinueOnError)
	flags.ParseErrorsWhitelist.UnknownFlags = true
	one := &solver.HTTP01Solver{}
	flags.IntVar(&one.ListenPort, "listen-port", 8089, "")
	flags.StringVar(&one.Domain, "domain", "", "")
	flags.StringVar(&one.Token, "token", "", "")
	flags.StringVar(&one.Key, "key", "", "")
	if err := flags.Parse(args); err != nil {
		return err
	}
	go func() {
		<-ctx.Done()
		_ = one.Shutdown(context.Background())
	}()
	return one.Listen(logf.Log)
}
