import { readFile } from 'node:fs/promises'

/** The page's own files, in the order in which their rules and names build on each other. */
const styles = [
  'base.css',
  'page-header.css',
  'plots.css',
  'toolbar.css',
  'gallery.css',
  'viewer.css',
  'texts.css',
  'print.css',
]
const scripts = ['elements.js', 'zoom.js', 'viewer.js', 'filter.js', 'plots.js', 'main.js']

/** The page's style sheet. */
export async function pageStyle(): Promise<string> {
  return (await Promise.all(styles.map(pagePart))).join('\n')
}

/**
 * The page's script as one module. Its files import each other for the editor and the type checker; a page that
 * is opened from a file can import nothing, so here they stand one after the other without those words.
 */
export async function pageScript(): Promise<string> {
  const modules = await Promise.all(scripts.map(pagePart))
  return modules.map((source) => source.replace(/^import .*\n|^export /gm, '')).join('\n')
}

function pagePart(name: string): Promise<string> {
  return readFile(new URL(`page/${name}`, import.meta.url), 'utf8')
}
