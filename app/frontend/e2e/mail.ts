/** The mail that really arrived, read from Mailpit. */

import { get } from "node:http";
import { expect } from "@playwright/test";
import { settings } from "./settings";

export interface Mail {
  Subject: string;
  Text: string;
  HTML: string;
}

/** Waits for the one mail to somebody. */
export async function mailTo(address: string): Promise<Mail> {
  const patience = { message: `mails to ${address}` };
  await expect.poll(async () => (await mailsTo(address)).length, patience).toBe(1);
  const [id] = await mailsTo(address);
  return (await ask(`/api/v1/message/${id}`)) as Mail;
}

/** The mails to somebody by now. */
export async function mailsTo(address: string): Promise<string[]> {
  const query = encodeURIComponent(`to:"${address}"`);
  const found = (await ask(`/api/v1/search?query=${query}`)) as { messages: { ID: string }[] };
  return found.messages.map(({ ID }) => ID);
}

/** The address in a mail that leads to a page of the site. */
export function linkTo(page: string, mail: Mail): string {
  const start = `${settings.site}${page}`;
  const words = mail.Text.split(/\s+/);
  const link = words.find((word) => word.startsWith(start));
  expect(link, `a link to ${page} in the mail "${mail.Subject}"`).toBeTruthy();
  return link ?? "";
}

function ask(path: string): Promise<unknown> {
  const url = new URL(path, settings.mail);
  return new Promise((resolve, reject) => {
    // Node knows the names of a local stack as little as any DNS server does.
    const here = { hostname: "127.0.0.1", port: url.port, headers: { host: url.host } };
    const request = get({ ...here, path: url.pathname + url.search }, async (answer) => {
      let text = "";
      for await (const part of answer.setEncoding("utf8")) text += part;
      if (answer.statusCode === 200) resolve(JSON.parse(text));
      else reject(new Error(`Mailpit says ${answer.statusCode} to ${path}`));
    });
    request.on("error", reject);
  });
}
