export { convertLlama2c, type Llama2cFiles } from './convert-llama2c.js'
export {
  RANDOM_SHAPES,
  type RandomModelOptions,
  type RandomShape,
  type RandomShapeName,
  randomModelLabel,
  writeRandomModel,
} from './random-model.js'
