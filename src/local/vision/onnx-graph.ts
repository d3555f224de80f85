import onnxProto, { type onnx as Onnx } from 'onnx-proto'

/** A CommonJS module whose named exports Node cannot detect. */
const { onnx } = onnxProto

export type Attribute = number | string | number[]
export type TensorData = Float32Array | BigInt64Array

/** Builds a small ONNX graph: constants and nodes, then the serialized model. */
export class OnnxGraph {
  readonly #nodes: Onnx.INodeProto[] = []
  readonly #constants: Onnx.ITensorProto[] = []

  /** Adds a constant and returns its name. Shape [] is a scalar. */
  constant(name: string, shape: number[], data: TensorData): string {
    this.#constants.push({
      name,
      dims: shape,
      dataType: data instanceof Float32Array ? FLOAT : INT64,
      rawData: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
    })
    return name
  }

  /** Adds a node with one output and returns the output's name. Numbers become ints, except `epsilon`. */
  node(opType: string, input: string[], output: string, attributes: Record<string, Attribute> = {}): string {
    const attribute = Object.entries(attributes).map(([name, value]) => toAttribute(name, value))
    this.#nodes.push({ opType, input, output: [output], name: output, attribute })
    return output
  }

  /** The serialized model: one uint8 input, float outputs. */
  serialize(
    input: { name: string; shape: number[] },
    outputs: { name: string; shape: number[] }[],
  ): Uint8Array {
    const graph = {
      name: 'graph',
      node: this.#nodes,
      initializer: this.#constants,
      input: [valueInfo(input, UINT8)],
      output: outputs.map((output) => valueInfo(output, FLOAT)),
    }
    const model = { irVersion: IR_VERSION, opsetImport: [{ domain: '', version: OPSET }], graph }
    return onnx.ModelProto.encode(model).finish()
  }
}

const FLOAT = onnx.TensorProto.DataType.FLOAT
const UINT8 = onnx.TensorProto.DataType.UINT8
const INT64 = onnx.TensorProto.DataType.INT64
const IR_VERSION = 8
/** Clip takes its limits as inputs since opset 11; BatchNormalization changes in 14. */
const OPSET = 13

function toAttribute(name: string, value: Attribute): Onnx.IAttributeProto {
  const types = onnx.AttributeProto.AttributeType
  if (typeof value === 'string') return { name, type: types.STRING, s: Buffer.from(value) }
  if (Array.isArray(value)) return { name, type: types.INTS, ints: value }
  if (name === 'epsilon') return { name, type: types.FLOAT, f: value }
  return { name, type: types.INT, i: value }
}

function valueInfo(
  { name, shape }: { name: string; shape: number[] },
  elemType: number,
): Onnx.IValueInfoProto {
  const dim = shape.map((dimValue) => ({ dimValue }))
  return { name, type: { tensorType: { elemType, shape: { dim } } } }
}
