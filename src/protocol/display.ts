/**
 * Keys and texts come from strangers: this is how they are shown, on a terminal, in a log or in results.txt.
 * Control characters (C0, C1: terminal escapes, newlines), invisible format characters (among them the marks
 * that turn the direction of writing), line separators and lone surrogates become U+FFFD.
 */
export function displaySafe(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, '\uFFFD')
}
