/** What is shown when the page can't start, since it doesn't know where its API is. */

import { State } from "./State";

export function StartError({ message }: { message: string }) {
  return (
    <main className="start-error">
      <div role="alert">
        <State icon="warning" title="This page can't start" heading="h1">
          <p>It could not load its settings: {message}</p>
          <button type="button" className="button" onClick={() => window.location.reload()}>
            Try again
          </button>
        </State>
      </div>
    </main>
  );
}
