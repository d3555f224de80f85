import { mkdir, writeFile } from 'node:fs/promises'

/** What a benchmark has found: one row per measurement, all with the same columns. */
export interface Findings {
  name: string
  title: string
  rows: Record<string, string | number>[]
}

const outDirectory = new URL('../out/', import.meta.url)

/** Prints the table and keeps it as bench/out/NAME.json and NAME.md. */
export async function publish(findings: Findings): Promise<void> {
  const table = `### ${findings.title}\n\n${markdown(findings.rows)}\n`
  console.log(`\n${table}`)
  await mkdir(outDirectory, { recursive: true })
  const measured = { ...findings, at: new Date().toISOString(), node: process.version }
  await writeFile(new URL(`${findings.name}.json`, outDirectory), `${JSON.stringify(measured, null, 2)}\n`)
  await writeFile(new URL(`${findings.name}.md`, outDirectory), table)
}

function markdown(rows: Findings['rows']): string {
  const columns = Object.keys(rows[0] ?? {})
  const lines = rows.map((row) => `| ${columns.map((column) => row[column] ?? '').join(' | ')} |`)
  return [`| ${columns.join(' | ')} |`, `|${columns.map(() => '---|').join('')}`, ...lines].join('\n')
}
