/** A point, a direction or a linear colour (x red, y green, z blue). Lengths are metres, y points up. */
export interface Vec {
  readonly x: number
  readonly y: number
  readonly z: number
}

export const vec = (x: number, y: number, z: number): Vec => ({ x, y, z })
export const grey = (value: number): Vec => ({ x: value, y: value, z: value })
export const add = (a: Vec, b: Vec): Vec => ({ x: a.x + b.x, y: a.y + b.y, z: a.z + b.z })
export const subtract = (a: Vec, b: Vec): Vec => ({ x: a.x - b.x, y: a.y - b.y, z: a.z - b.z })
export const scale = (a: Vec, by: number): Vec => ({ x: a.x * by, y: a.y * by, z: a.z * by })
export const multiply = (a: Vec, b: Vec): Vec => ({ x: a.x * b.x, y: a.y * b.y, z: a.z * b.z })
export const dot = (a: Vec, b: Vec): number => a.x * b.x + a.y * b.y + a.z * b.z
export const length = (a: Vec): number => Math.sqrt(dot(a, a))
export const normalise = (a: Vec): Vec => scale(a, 1 / length(a))
/** The point `distance` along a ray. */
export const along = (from: Vec, direction: Vec, distance: number): Vec => ({
  x: from.x + direction.x * distance,
  y: from.y + direction.y * distance,
  z: from.z + direction.z * distance,
})
export const mix = (a: Vec, b: Vec, share: number): Vec => ({
  x: a.x + (b.x - a.x) * share,
  y: a.y + (b.y - a.y) * share,
  z: a.z + (b.z - a.z) * share,
})
export const cross = (a: Vec, b: Vec): Vec => ({
  x: a.y * b.z - a.z * b.y,
  y: a.z * b.x - a.x * b.z,
  z: a.x * b.y - a.y * b.x,
})

/** 0 below `from`, 1 above `to`, smooth in between. */
export function ramp(from: number, to: number, value: number): number {
  const share = Math.min(1, Math.max(0, (value - from) / (to - from)))
  return share * share * (3 - 2 * share)
}

/** `#rrggbb` as light: the sRGB curve undone. */
export function colour(hex: string): Vec {
  const channel = (at: number) => linear(Number.parseInt(hex.slice(at, at + 2), 16) / 255)
  return vec(channel(1), channel(3), channel(5))
}

/** One sRGB channel, 0 to 1, as light. */
export function linear(channel: number): number {
  return channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4
}
