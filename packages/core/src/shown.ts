/** `String(value)`, also of what refuses to become text: a complaint must not fail because of what it complains about. */
export function textOf(value: unknown): string {
  try {
    return String(value)
  } catch {
    return 'a value without text'
  }
}

/** At most so many characters of a text. */
export function shortened(text: string, charsMax: number): string {
  return text.length > charsMax ? `${text.slice(0, charsMax)}…` : text
}
