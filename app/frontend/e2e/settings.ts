/** What the stories are told about the stack, by environment variables; nothing is guessed. */

export const settings = {
  /** Where people find the site, without a slash at the end. */
  get site() {
    return given("SITE_URL");
  },
  /** Where the API answers. */
  get api() {
    return given("API_URL");
  },
  /** Where Mailpit shows the mail that the stack has sent. */
  get mail() {
    return given("MAIL_URL");
  },
  /** A file with the certificate that the site and the API serve. */
  get certificate() {
    return given("CERTIFICATE");
  },
  /** Whether the stories are those of the addresses, which need to know nothing else of the stack. */
  get areAddressesTold() {
    return process.env.ADDRESSES !== undefined;
  },
  /** What the demo prints: what is there, where, and a text that is to be seen. */
  get addresses(): { what: string; url: string; shows: string }[] {
    return JSON.parse(given("ADDRESSES"));
  },
  get superuser() {
    return { email: given("SUPERUSER"), password: given("SUPERUSER_PASSWORD") };
  },
  /** How a release is made: kubectl with its cluster, the stack, and the image of a later release. */
  get release() {
    return {
      kubectl: given("KUBECTL"),
      namespace: given("NAMESPACE"),
      stack: given("STACK"),
      image: given("NEXT_FRONTEND"),
    };
  },
  /** The folder for pictures, and for what is left of a story that failed. */
  get results() {
    return process.env.RESULTS ?? "../../target/browser";
  },
};

function given(name: string): string {
  const value = process.env[name];
  if (!value)
    throw new Error(`${name} is not set; \`cargo xtask test cluster --story browser\` does`);
  return value;
}
