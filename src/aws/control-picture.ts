/**
 * A picture that is good beyond doubt: PNG, 96 × 96, white. When Rekognition fails on a picture and answers
 * about this one at the same time, it is the picture that it fails on.
 */
export const controlPicture: Uint8Array = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAGAAAABgCAAAAADH8yjkAAAAO0lEQVR42u3NMQ0AAAwDoPo33arYsQQMkB6LQCAQCAQCgUAgEAgEAoFAIBAI' +
    'BAKBQCAQCAQCgUAg+BoMnXneDpEXkWUAAAAASUVORK5CYII=',
  'base64',
)
