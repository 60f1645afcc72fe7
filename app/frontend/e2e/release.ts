/** A release, made as people make one: another version in the spec of the stack. */

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect } from "@playwright/test";
import { settings } from "./settings";

const run = promisify(execFile);

interface Stack {
  metadata: { generation: number };
  status?: { conditions?: { type: string; status: string; observedGeneration?: number }[] };
}

/** Releases `version` with the later pages, and waits until it has taken over. */
export async function release(version: string) {
  const spec = { version, frontend: { image: settings.release.image } };
  await kubectl("patch", "--type", "merge", "--patch", JSON.stringify({ spec }));
  const readyFor = async () => {
    const stack = JSON.parse(await kubectl("get", "--output", "json")) as Stack;
    const ready = stack.status?.conditions?.find(({ type }) => type === "Ready");
    const isOfThis = ready?.observedGeneration === stack.metadata.generation;
    return isOfThis ? ready?.status : "not yet looked at";
  };
  const patience = { message: `${version} takes over`, timeout: 120_000 };
  await expect.poll(readyFor, patience).toBe("True");
}

async function kubectl(verb: string, ...words: string[]): Promise<string> {
  const { kubectl, namespace, stack } = settings.release;
  const about = ["--namespace", namespace, verb, `appstack/${stack}`];
  const { stdout } = await run(kubectl, [...about, ...words]);
  return stdout;
}
