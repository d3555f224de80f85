/** A character that was read, and where. */
export interface ReadCharacter {
  character: string
  /** 0 to 1. */
  probability: number
  /** Its place along the input, 0 (left edge) to 1 (right edge). */
  at: number
}

/**
 * Reads the output of a CTC model the greedy way: the likeliest class of each time step, where
 * repetitions count once and class 0 (blank) separates.
 * @param probabilities steps × classes
 * @param characters class 1 is the first of them
 */
export function decodeCtc(
  probabilities: Float32Array,
  steps: number,
  classes: number,
  characters: string[],
): ReadCharacter[] {
  const read: ReadCharacter[] = []
  let previous = BLANK
  for (let step = 0; step < steps; step++) {
    const best = likeliest(probabilities, step * classes, classes)
    const character = characters[best - 1]
    if (best !== previous && character !== undefined) {
      const probability = probabilities[step * classes + best] ?? 0
      read.push({ character, probability, at: (step + 0.5) / steps })
    }
    previous = best
  }
  return read
}

const BLANK = 0

function likeliest(probabilities: Float32Array, offset: number, classes: number): number {
  let best = 0
  for (let candidate = 1; candidate < classes; candidate++) {
    if ((probabilities[offset + candidate] ?? 0) > (probabilities[offset + best] ?? 0)) best = candidate
  }
  return best
}
