export { convertLlama2c, type Llama2cFiles } from './convert-llama2c.js'
export { type ModelsDirectoryOptions, modelsDirectory } from './models-directory.js'
export {
  RANDOM_SHAPES,
  type RandomModelOptions,
  type RandomShape,
  type RandomShapeName,
  randomModelLabel,
  writeRandomModel,
} from './random-model.js'
export { resolveModel } from './resolve-model.js'
export type { DownloadProgress, ResolveModelOptions } from './resolve-options.js'
export type { ModelSource, ResolvedModel } from './resolved-model.js'
