/** The mark of the product: layers, the app on top. */

export function Logo({ className }: { className?: string }) {
  return (
    <svg className={className} viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="8" className="fill-accent" />
      <path d="M16 6 26 11 16 16 6 11z" className="fill-on-accent" />
      <path
        d="m6 16 10 5 10-5M6 21l10 5 10-5"
        className="fill-none stroke-on-accent"
        strokeWidth="2.2"
        strokeLinejoin="round"
        strokeLinecap="round"
        opacity="0.8"
      />
    </svg>
  );
}
