/** The last resort: whatever fails outside of the router's own pages ends here and not in a blank one. */

import { Component, type ReactNode } from "react";
import { PageFault } from "./Fault";

interface State {
  /** In a box, since anything can be thrown, also nothing. */
  caught: { error: unknown } | null;
}

export class ErrorBoundary extends Component<{ children: ReactNode }, State> {
  override state: State = { caught: null };

  static getDerivedStateFromError(error: unknown): State {
    return { caught: { error } };
  }

  override render() {
    const { caught } = this.state;
    if (!caught) return this.props.children;
    return (
      <main className="m-auto">
        <PageFault error={caught.error} />
      </main>
    );
  }
}
