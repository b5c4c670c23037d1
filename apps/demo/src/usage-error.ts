/** A flag or a file that cannot be used; the message names it and the remedy. */
export class UsageError extends Error {}
