/** Loaded before a worker (`node --import`): its clock is CLOCK_SHIFT_MS off. */
const shift = Number(process.env.CLOCK_SHIFT_MS ?? 0)
const RealDate = Date

class ShiftedDate extends RealDate {
  constructor(given: number | string | Date = RealDate.now() + shift) {
    super(given)
  }

  static override now(): number {
    return RealDate.now() + shift
  }
}

globalThis.Date = ShiftedDate as DateConstructor
