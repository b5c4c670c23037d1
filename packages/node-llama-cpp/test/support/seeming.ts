import type { LlamaContext } from 'node-llama-cpp'

/** What a context says of itself and its model, to be said otherwise. */
export interface Seeming {
  readonly flashAttention?: boolean
  readonly insights?: object
  readonly attention?: object
  readonly rope?: object
  readonly adapters?: number
}

/** The same context, with other answers to some questions: a real model of each unusual kind would be a download. */
export function seeming(context: LlamaContext, { insights, attention, rope, adapters, ...own }: Seeming): LlamaContext {
  const { model } = context
  const { fileInfo } = model
  const architectureMetadata = {
    ...fileInfo.architectureMetadata,
    ...(attention === undefined ? {} : { attention: { ...fileInfo.architectureMetadata.attention, ...attention } }),
    ...(rope === undefined ? {} : { rope: { ...fileInfo.architectureMetadata.rope, ...rope } }),
  }
  const otherModel = over(model, {
    fileInfo: { ...fileInfo, architectureMetadata },
    fileInsights: over(model.fileInsights, insights ?? {}),
  })
  return over(context, {
    model: otherModel,
    ...(adapters ? { _loraAdapters: new Set(Array(adapters).keys()) } : {}),
    ...own,
  })
}

function over<T extends object>(target: T, answers: object): T {
  return new Proxy(target, {
    get: (_, name) => (name in answers ? Reflect.get(answers, name) : Reflect.get(target, name, target)),
  })
}
