/**
 * Makes untrusted text (keys, texts of images) safe for a terminal, a log or results.txt: control characters (terminal
 * escapes, newlines), invisible format characters (among them direction marks), line separators and lone surrogates
 * become U+FFFD.
 */
export function displaySafe(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, '\uFFFD')
}
