/**
 * Markup in which everything that is put in is text, unless it is markup itself.
 *
 * Keys and texts are untrusted. There is no way to put a string into the page unescaped: only `html` makes an `Html`, and
 * it escapes for element content and quoted attributes alike.
 */
export class Html {
  readonly #markup: string

  private constructor(markup: string) {
    this.#markup = markup
  }

  /** Use through the `html` tag. Values in attributes must stand between double quotes. */
  static fromTemplate(strings: TemplateStringsArray, values: readonly HtmlValue[]): Html {
    return new Html(strings.reduce((markup, part, i) => markup + markupOf(values[i - 1]) + part))
  }

  /** Markup, style or script of the project's own files, unescaped: never anything that came with an image. */
  static ownSource(source: string): Html {
    return new Html(source)
  }

  toString(): string {
    return this.#markup
  }
}

/** What a template's `${}` takes; nothing is written for undefined, null and false. */
export type HtmlValue = string | number | Html | readonly HtmlValue[] | undefined | null | false

export function html(strings: TemplateStringsArray, ...values: HtmlValue[]): Html {
  return Html.fromTemplate(strings, values)
}

function markupOf(value: HtmlValue): string {
  if (value === undefined || value === null || value === false) return ''
  if (value instanceof Html) return value.toString()
  if (typeof value === 'object') return value.map(markupOf).join('')
  return escaped(String(value))
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? '')
}

/**
 * JSON that may stand inside a script element: `</script>` and `<!--` cannot occur in it, nor the two line
 * separators that old JavaScript did not allow in strings.
 */
export function scriptJson(value: unknown): Html {
  const json = JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
  return Html.ownSource(json)
}
