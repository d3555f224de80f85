/**
 * Fits the confidence calibration of "Car" on labelled photos and reports its cross-validated precision and recall.
 *
 *   node scripts/fit-confidence.ts [DIR]
 *
 * DIR (default ../shared/photos) contains the photos and labels.tsv: file, then car, none or other-vehicle.
 * Copy the printed coefficients into src/local/vision/calibration.ts.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  type Coefficients,
  type Features,
  features,
  logit,
  sigmoid,
} from '../src/local/vision/calibration.ts'
import { decodeToSize } from '../src/local/vision/image.ts'
import { ObjectDetector } from '../src/local/vision/object-detection.ts'
import { INPUT_SIZE } from '../src/local/vision/object-model.ts'

interface Photo {
  label: string
  /** Of each box detected as a car. */
  boxes: Features[]
}

const START: Coefficients = { slope: 1, perLogArea: 0.5, shift: 3 }
const PARTS = 5
const REPETITIONS = 20
const THRESHOLD = 90
const RIDGE = 0.05

const photos = await detectCars(process.argv[2] ?? '../shared/photos')
console.log('coefficients', fitCoefficients(photos))
console.log('cross-validation', crossValidate(photos))

async function detectCars(directory: string): Promise<Photo[]> {
  const detector = await ObjectDetector.load()
  const rows = (await readFile(join(directory, 'labels.tsv'), 'utf8')).trim().split('\n').slice(1)
  const photos: Photo[] = []
  for (const row of rows) {
    const [file = '', label = ''] = row.split('\t')
    const pixels = await decodeToSize(await readFile(join(directory, file)), INPUT_SIZE)
    const cars = (await detector.detectRaw(pixels)).filter(({ name }) => name === 'Car')
    photos.push({ label, boxes: cars.map(({ score, box }) => features(score, box)) })
  }
  return photos
}

/**
 * Logistic regression on each photo's best box. Which box is the best depends on the coefficients, so the two are
 * fitted alternately. Photos with and without a car have equal total weight: the calibration must not depend on how
 * common cars are.
 */
function fitCoefficients(photos: Photo[]): Coefficients {
  const cars = photos.filter(hasCar).length
  const weightOfCar = (photos.length - cars) / cars
  let coefficients = START
  for (let turn = 0; turn < 10; turn++) {
    const samples = photos.flatMap((photo) => {
      const best = bestBox(photo, coefficients)
      return best === undefined
        ? []
        : [{ ...best, car: hasCar(photo), weight: hasCar(photo) ? weightOfCar : 1 }]
    })
    coefficients = regress(samples, coefficients)
  }
  return coefficients
}

function hasCar({ label }: Photo): boolean {
  return label === 'car'
}

function bestBox({ boxes }: Photo, coefficients: Coefficients): Features | undefined {
  return boxes.toSorted((a, b) => logit(coefficients, b) - logit(coefficients, a))[0]
}

interface Sample extends Features {
  car: boolean
  weight: number
}

/** Newton's method, with L2 regularization of the two slopes. */
function regress(samples: Sample[], start: Coefficients): Coefficients {
  let current = start
  for (let step = 0; step < 50; step++) {
    const gradient = [-RIDGE * current.slope, -RIDGE * current.perLogArea, 0]
    const curvature = [
      [RIDGE, 0, 0],
      [0, RIDGE, 0],
      [0, 0, 1e-9],
    ]
    for (const sample of samples) addSample(gradient, curvature, sample, sigmoid(logit(current, sample)))
    const [slope = 0, perLogArea = 0, shift = 0] = solve(curvature, gradient)
    current = {
      slope: current.slope + limit(slope),
      perLogArea: current.perLogArea + limit(perLogArea),
      shift: current.shift + limit(shift),
    }
  }
  return current
}

function addSample(gradient: number[], curvature: number[][], sample: Sample, probability: number): void {
  const x = [sample.logitScore, sample.logArea, 1]
  for (const [row, xRow] of x.entries()) {
    gradient[row] = (gradient[row] ?? 0) + sample.weight * (Number(sample.car) - probability) * xRow
    const line = curvature[row] ?? []
    for (const [column, xColumn] of x.entries()) {
      line[column] = (line[column] ?? 0) + sample.weight * probability * (1 - probability) * xRow * xColumn
    }
  }
}

function limit(step: number): number {
  return Math.min(3, Math.max(-3, step))
}

/** Gauss–Jordan elimination; the matrix is positive definite, so no pivot is 0. */
function solve(matrix: number[][], right: number[]): number[] {
  const rows = matrix.map((row, at) => [...row, right[at] ?? 0])
  for (const [at, pivotRow] of rows.entries()) {
    for (const row of rows) {
      if (row === pivotRow) continue
      const factor = (row[at] ?? 0) / (pivotRow[at] ?? 1)
      for (const [column, value] of pivotRow.entries()) row[column] = (row[column] ?? 0) - factor * value
    }
  }
  return rows.map((row, at) => (row.at(-1) ?? 0) / (row[at] ?? 1))
}

/** Repeated five-fold cross-validation. */
function crossValidate(photos: Photo[]): Record<string, string> {
  const counts = { right: 0, missed: 0, wrong: 0, sureAndRight: 0, sure: 0, unsureAndRight: 0, unsure: 0 }
  const random = generator(1)
  for (let repetition = 0; repetition < REPETITIONS; repetition++) {
    const shuffled = photos.map((photo) => ({ photo, key: random() })).toSorted((a, b) => a.key - b.key)
    for (let part = 0; part < PARTS; part++) {
      const left = shuffled.filter((_, at) => at % PARTS === part).map(({ photo }) => photo)
      const coefficients = fitCoefficients(
        shuffled.filter((_, at) => at % PARTS !== part).map(({ photo }) => photo),
      )
      for (const photo of left) evaluate(photo, coefficients, counts)
    }
  }
  const share = (part: number, whole: number) => `${((100 * part) / whole).toFixed(1)} %`
  return {
    [`precision of Car > ${THRESHOLD}`]: share(counts.right, counts.right + counts.wrong),
    [`recall of Car > ${THRESHOLD}`]: share(counts.right, counts.right + counts.missed),
    'cars among 90 to 97': share(counts.sureAndRight, counts.sure),
    'cars among 50 to 90': share(counts.unsureAndRight, counts.unsure),
  }
}

type Counts = Record<
  'right' | 'missed' | 'wrong' | 'sureAndRight' | 'sure' | 'unsureAndRight' | 'unsure',
  number
>

function evaluate(photo: Photo, coefficients: Coefficients, counts: Counts): void {
  const best = bestBox(photo, coefficients)
  const confidence = best === undefined ? 0 : 100 * sigmoid(logit(coefficients, best))
  const car = hasCar(photo)
  if (confidence > THRESHOLD) counts[car ? 'right' : 'wrong']++
  else if (car) counts.missed++
  if (confidence > 90 && confidence <= 97) count(counts, 'sure', 'sureAndRight', car)
  if (confidence > 50 && confidence <= 90) count(counts, 'unsure', 'unsureAndRight', car)
}

function count(counts: Counts, all: keyof Counts, right: keyof Counts, isRight: boolean): void {
  counts[all]++
  if (isRight) counts[right]++
}

/** Numerical Recipes' linear congruential generator: the same parts on every run. */
function generator(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}
