/** Numbers on a regular grid, read in between by blending the eight around. */
export interface Grid {
  at(x: number, y: number, z: number): number
}

export interface Extent {
  low: readonly [number, number, number]
  cells: readonly [number, number, number]
  step: number
}

/** Samples a field once, so that asking it a million times is cheap. */
export function sample(
  { low, cells, step }: Extent,
  field: (x: number, y: number, z: number) => number,
): Grid {
  const [columns, rows, layers] = cells
  const values = new Float32Array(columns * rows * layers)
  let next = 0
  for (let layer = 0; layer < layers; layer += 1) {
    for (let row = 0; row < rows; row += 1) {
      for (let column = 0; column < columns; column += 1) {
        values[next] = field(low[0] + column * step, low[1] + row * step, low[2] + layer * step)
        next += 1
      }
    }
  }
  return {
    at: (x, y, z) => blended(values, cells, (x - low[0]) / step, (y - low[1]) / step, (z - low[2]) / step),
  }
}

function blended(values: Float32Array, cells: Extent['cells'], x: number, y: number, z: number): number {
  const column = Math.min(cells[0] - 2, Math.max(0, Math.floor(x)))
  const row = Math.min(cells[1] - 2, Math.max(0, Math.floor(y)))
  const layer = Math.min(cells[2] - 2, Math.max(0, Math.floor(z)))
  const first = (layer * cells[1] + row) * cells[0] + column
  const above = cells[0] * cells[1]
  const right = x - column
  const near = plane(values, first, cells[0], right, y - row)
  return near + (plane(values, first + above, cells[0], right, y - row) - near) * (z - layer)
}

function plane(values: Float32Array, first: number, columns: number, right: number, down: number): number {
  const a = values[first] ?? 0
  const b = values[first + 1] ?? 0
  const c = values[first + columns] ?? 0
  const d = values[first + columns + 1] ?? 0
  const top = a + (b - a) * right
  return top + (c + (d - c) * right - top) * down
}
