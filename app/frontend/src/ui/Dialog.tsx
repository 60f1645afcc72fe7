/** Windows above the page: one with a form, and one that asks before something is lost. */

import { AlertDialog as BaseAlert } from "@base-ui/react/alert-dialog";
import { Dialog as Base } from "@base-ui/react/dialog";
import { X } from "lucide-react";
import { type ReactNode, useState } from "react";
import { describe } from "../api/client";
import { Alert } from "./Alert";
import { Button, buttonClass } from "./Button";
import { classes } from "./classes";

const BACKDROP =
  "fixed inset-0 z-40 bg-backdrop transition-opacity duration-150 data-ending-style:opacity-0 data-starting-style:opacity-0";

/** At the foot of the screen on a phone, within the thumb's reach. */
const POPUP =
  "fixed inset-x-0 bottom-0 z-40 max-h-[92dvh] overflow-y-auto rounded-t-2xl border border-line bg-surface p-5 shadow-raised outline-none transition duration-150 " +
  "data-ending-style:translate-y-3 data-ending-style:opacity-0 data-starting-style:translate-y-3 data-starting-style:opacity-0 " +
  "sm:inset-x-auto sm:top-1/2 sm:bottom-auto sm:left-1/2 sm:w-full sm:-translate-x-1/2 sm:-translate-y-1/2 sm:rounded-2xl sm:p-6 " +
  "sm:data-ending-style:-translate-y-[calc(50%-0.5rem)] sm:data-starting-style:-translate-y-[calc(50%-0.5rem)]";

const TITLE = "text-lg font-semibold tracking-tight";

interface DialogProps {
  title: string;
  isOpen: boolean;
  onClose: () => void;
  children: ReactNode;
}

export function Dialog({ title, isOpen, onClose, children }: DialogProps) {
  return (
    <Base.Root open={isOpen} onOpenChange={(open) => !open && onClose()}>
      <Base.Portal>
        <Base.Backdrop className={BACKDROP} />
        <Base.Popup className={classes(POPUP, "sm:max-w-lg")}>
          <Base.Title className={classes(TITLE, "mr-10 mb-5")}>{title}</Base.Title>
          {children}
          {/* Last, so that the focus begins in the form. */}
          <Base.Close
            aria-label="Close"
            className="absolute top-3.5 right-3.5 grid size-10 place-items-center rounded-lg text-muted hover:bg-sunken hover:text-ink sm:top-4.5 sm:right-4.5"
          >
            <X className="size-5" aria-hidden="true" />
          </Base.Close>
        </Base.Popup>
      </Base.Portal>
    </Base.Root>
  );
}

/** The buttons at the end of a dialog's form. */
export function DialogActions({ isBusy, children }: { isBusy: boolean; children: ReactNode }) {
  return (
    <div className="flex flex-col-reverse gap-3 sm:flex-row sm:justify-end">
      <Base.Close className={buttonClass()}>Cancel</Base.Close>
      <Button type="submit" look="primary" busy={isBusy}>
        {children}
      </Button>
    </div>
  );
}

interface ConfirmProps {
  title: string;
  /** The word on the button that does it. */
  action: string;
  isOpen: boolean;
  onClose: () => void;
  /** Does it. The dialog stays open and tells when it fails. */
  onConfirm: () => Promise<void>;
  /** What will be lost. */
  children: ReactNode;
}

export function Confirm({ title, action, isOpen, onClose, onConfirm, children }: ConfirmProps) {
  const [isBusy, setBusy] = useState(false);
  const [fault, setFault] = useState("");

  async function confirm() {
    setBusy(true);
    setFault("");
    try {
      await onConfirm();
      onClose();
    } catch (error) {
      setFault(describe(error as Error));
    } finally {
      setBusy(false);
    }
  }

  function close() {
    setFault("");
    onClose();
  }

  return (
    <BaseAlert.Root open={isOpen} onOpenChange={(open) => !open && close()}>
      <BaseAlert.Portal>
        <BaseAlert.Backdrop className={BACKDROP} />
        <BaseAlert.Popup className={classes(POPUP, "sm:max-w-md")}>
          <BaseAlert.Title className={TITLE}>{title}</BaseAlert.Title>
          <BaseAlert.Description className="mt-2 text-muted wrap-anywhere">
            {children}
          </BaseAlert.Description>
          <div className="mt-4 empty:hidden">{fault && <Alert kind="fault">{fault}</Alert>}</div>
          <div className="mt-6 flex flex-col-reverse gap-3 sm:flex-row sm:justify-end">
            <BaseAlert.Close className={buttonClass()}>Cancel</BaseAlert.Close>
            <Button look="danger" busy={isBusy} onClick={confirm}>
              {action}
            </Button>
          </div>
        </BaseAlert.Popup>
      </BaseAlert.Portal>
    </BaseAlert.Root>
  );
}
