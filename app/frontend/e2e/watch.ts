/**
 * Looks over the browser's shoulder: an error in the console, an exception, a request that fails or an answer that is an
 * error spoils a story, unless the story said before that it would come.
 */

import type { BrowserContext, Request, Response } from "@playwright/test";

interface Expected {
  /** What it is, for people. */
  what: string;
  isIt: (fault: Fault) => boolean;
  hasCome: boolean;
}

interface Fault {
  text: string;
  /** Of an answer. */
  status?: number;
  path?: string;
}

export class Watch {
  readonly #unexpected: string[] = [];
  readonly #expected: Expected[] = [];

  constructor(context: BrowserContext) {
    context.on("console", (message) => {
      // Answers that are errors are looked at below, where their addresses are known.
      const isAnswer = message.text().startsWith("Failed to load resource: the server responded");
      if (message.type() !== "error" || isAnswer) return;
      this.#found({ text: `console: ${message.text()}` });
    });
    context.on("weberror", (it) => this.#found({ text: `exception: ${it.error().stack}` }));
    context.on("requestfailed", (request) => this.#failed(request));
    context.on("response", (response) => this.#answered(response));
  }

  /** Says that an answer will be an error. It must come. */
  expects(status: number, path: RegExp) {
    const isIt = (fault: Fault) => fault.status === status && path.test(fault.path ?? "");
    this.#expected.push({ what: `${status} for ${path}`, isIt, hasCome: false });
  }

  /** Says that something will be told in the console. It must come. */
  expectsError(text: RegExp) {
    const isIt = (fault: Fault) => text.test(fault.text);
    this.#expected.push({ what: `${text}`, isIt, hasCome: false });
  }

  /** What nobody expected, and what was expected in vain. */
  get faults(): string[] {
    const inVain = this.#expected.filter(({ hasCome }) => !hasCome);
    return [
      ...this.#unexpected,
      ...inVain.map(({ what }) => `${what} was expected and did not come`),
    ];
  }

  #found(fault: Fault) {
    const known = this.#expected.find(({ isIt }) => isIt(fault));
    if (known) known.hasCome = true;
    else this.#unexpected.push(fault.text);
  }

  #failed(request: Request) {
    const why = request.failure()?.errorText;
    // The page itself no longer wanted it: someone went on to another page.
    if (why === "net::ERR_ABORTED") return;
    const { pathname } = new URL(request.url());
    this.#found({ text: `request: ${why} for ${request.method()} ${pathname}` });
  }

  #answered(response: Response) {
    const status = response.status();
    if (status < 400) return;
    const { pathname } = new URL(response.url());
    const text = `answer: ${status} for ${response.request().method()} ${pathname}`;
    this.#found({ text, status, path: pathname });
  }
}
