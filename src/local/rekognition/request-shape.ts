import { RekognitionError } from './errors.ts'

/** A JSON object whose members have not been validated. */
export type Members = Readonly<Record<string, unknown>>

/**
 * Reads the members of a request by the types of the service's model. An absent or null member is undefined; a wrong
 * type is a SerializationException, as in every service with this protocol; a violated constraint is recorded, and
 * `check()` throws all recorded violations together.
 */
export class RequestShape {
  readonly #violations: string[] = []

  structure(members: Members, name: string): Members | undefined {
    const value = members[name] ?? undefined
    if (value === undefined) return undefined
    return asMembers(value, name)
  }

  text(members: Members, name: string, limits: { min?: number; max?: number; pattern?: RegExp } = {}) {
    const value = members[name] ?? undefined
    if (value === undefined) return undefined
    if (typeof value !== 'string') throw wrongType(name, 'a string')
    this.#checkLength(name, value.length, limits)
    if (limits.pattern !== undefined && !limits.pattern.test(value)) {
      this.violation(name, value, `satisfy regular expression pattern: ${limits.pattern.source}`)
    }
    return value
  }

  /** A number within the limits, inclusive. */
  number(members: Members, name: string, limits: { min?: number; max?: number } = {}): number | undefined {
    const value = members[name] ?? undefined
    if (value === undefined) return undefined
    if (typeof value !== 'number') throw wrongType(name, 'a number')
    const { min = -Number.MAX_VALUE, max = Number.MAX_VALUE } = limits
    if (value < min) this.violation(name, value, `have value greater than or equal to ${min}`)
    if (value > max) this.violation(name, value, `have value less than or equal to ${max}`)
    return value
  }

  integer(members: Members, name: string, limits: { min?: number; max?: number } = {}): number | undefined {
    const value = this.number(members, name, limits)
    if (value !== undefined && !Number.isInteger(value)) throw wrongType(name, 'an integer')
    return value
  }

  list<Item>(
    members: Members,
    name: string,
    limits: { max: number },
    item: (value: unknown, name: string) => Item,
  ): Item[] | undefined {
    const value = members[name] ?? undefined
    if (value === undefined) return undefined
    if (!Array.isArray(value)) throw wrongType(name, 'a list')
    this.#checkLength(name, value.length, limits)
    return value.map((each, index) => item(each, `${name}.${index + 1}.member`))
  }

  /** Records a constraint that `value` violates; `rule` continues "Member must". */
  violation(name: string, value: unknown, rule: string): void {
    const path = name.charAt(0).toLowerCase() + name.slice(1)
    this.#violations.push(
      `Value '${shown(value)}' at '${path}' failed to satisfy constraint: Member must ${rule}`,
    )
  }

  /** @throws {RekognitionError} InvalidParameterException that lists every violated constraint */
  check(): void {
    const count = this.#violations.length
    if (count === 0) return
    const opening = `${count} validation ${count === 1 ? 'error' : 'errors'} detected: `
    throw new RekognitionError('InvalidParameterException', opening + this.#violations.join('; '))
  }

  #checkLength(name: string, length: number, { min = 0, max }: { min?: number; max?: number }): void {
    if (length < min) this.violation(name, `length ${length}`, `have length greater than or equal to ${min}`)
    if (max !== undefined && length > max) {
      this.violation(name, `length ${length}`, `have length less than or equal to ${max}`)
    }
  }
}

/** @throws {RekognitionError} SerializationException when `value` is not a JSON object */
export function asMembers(value: unknown, name: string): Members {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrongType(name, 'an object')
  return { ...value }
}

export function wrongType(name: string, expected: string): RekognitionError {
  return new RekognitionError('SerializationException', `${name} must be ${expected}.`)
}

function shown(value: unknown): string {
  const text = String(value)
  return text.length > 100 ? `${text.slice(0, 100)}…` : text
}
