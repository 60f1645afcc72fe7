/** What is shown when the page can't start, since it doesn't know where its API is. */
export function StartError({ message }: { message: string }) {
  return (
    <main className="start-error" role="alert">
      <h1>This page can't start</h1>
      <p>It could not load its settings. {message}</p>
      <button type="button" className="button" onClick={() => window.location.reload()}>
        Try again
      </button>
    </main>
  );
}
