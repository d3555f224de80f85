/** A node of a TensorFlow graph, as stored in TF.js's model.json. */
export interface TfNode {
  name: string
  op: string
  input: string[]
  attr: {
    strides?: { list: { i: string[] } }
    dilations?: { list: { i: string[] } }
    /** The bytes of 'SAME' or 'VALID'. */
    padding?: { s: number[] }
    epsilon?: { f: number }
  }
}

export interface TfWeight {
  shape: number[]
  data: Float32Array
}

export interface TfModel {
  nodes: Map<string, TfNode>
  /** The float constants; the integer ones only control parts of the graph that are not converted. */
  weights: Map<string, TfWeight>
}

/** Parses a TF.js graph model from its model.json and its shards in order. */
export function parseTfModel(json: Buffer, shards: Buffer[]): TfModel {
  const model = JSON.parse(json.toString()) as ModelJson
  const nodes = new Map(model.modelTopology.node.map((node) => [node.name, node]))
  const specs = model.weightsManifest.flatMap((group) => group.weights)
  return { nodes, weights: readWeights(specs, Buffer.concat(shards)) }
}

interface ModelJson {
  modelTopology: { node: TfNode[] }
  weightsManifest: { weights: WeightSpec[] }[]
}

interface WeightSpec {
  name: string
  shape: number[]
  dtype: 'float32' | 'int32'
}

function readWeights(specs: WeightSpec[], bytes: Buffer): Map<string, TfWeight> {
  const weights = new Map<string, TfWeight>()
  let offset = 0
  for (const { name, shape, dtype } of specs) {
    const length = shape.reduce((product, side) => product * side, 1) * Float32Array.BYTES_PER_ELEMENT
    if (dtype === 'float32') {
      const start = bytes.byteOffset + offset
      weights.set(name, { shape, data: new Float32Array(bytes.buffer.slice(start, start + length)) })
    }
    offset += length
  }
  return weights
}
