/** A recognized character and its position. */
export interface ReadCharacter {
  character: string
  /** 0 to 1. */
  probability: number
  /** Position along the input, 0 (left edge) to 1 (right edge). */
  at: number
}

/**
 * Greedy CTC decoding: takes the most probable class of each time step, collapses repeats and drops class 0
 * (blank).
 * @param probabilities steps × classes
 * @param characters by class; classes that are not in the map are ignored
 */
export function decodeCtc(
  probabilities: Float32Array,
  steps: number,
  classes: number,
  characters: ReadonlyMap<number, string>,
): ReadCharacter[] {
  const read: ReadCharacter[] = []
  let previous = BLANK
  for (let step = 0; step < steps; step++) {
    const best = mostProbable(probabilities, step * classes, characters)
    const character = characters.get(best)
    if (best !== previous && character !== undefined) {
      const probability = probabilities[step * classes + best] ?? 0
      read.push({ character, probability, at: (step + 0.5) / steps })
    }
    previous = best
  }
  return read
}

const BLANK = 0

function mostProbable(
  probabilities: Float32Array,
  offset: number,
  characters: ReadonlyMap<number, string>,
): number {
  let best = BLANK
  for (const candidate of characters.keys()) {
    if ((probabilities[offset + candidate] ?? 0) > (probabilities[offset + best] ?? 0)) best = candidate
  }
  return best
}
