/**
 * JSON for programs: every field is always there, and one without a value is null. Times are ISO 8601, in UTC.
 *
 * @param indent spaces per level; undefined = one line
 */
export function statusJson(value: object, indent?: number): string {
  return JSON.stringify(value, (_, field) => (field === undefined ? null : field), indent)
}
