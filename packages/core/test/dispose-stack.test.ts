import { describe, expect, test } from 'vitest'
import { DisposeStack } from '../src/index.js'

describe('DisposeStack', () => {
  test('undoes in reverse order and waits for each', async () => {
    const order: string[] = []
    const stack = new DisposeStack()
    stack.defer(async () => {
      await Promise.resolve()
      order.push('first')
    })
    stack.defer(() => {
      order.push('second')
    })
    const resource = stack.use({ close: async () => void order.push('third') })
    expect(resource).toHaveProperty('close')
    await stack.close()
    expect(order).toEqual(['third', 'second', 'first'])
  })

  test('undoes all even when some fail, and throws all errors together', async () => {
    const stack = new DisposeStack()
    const undone: number[] = []
    stack.defer(() => void undone.push(1))
    stack.defer(() => Promise.reject(new Error('second')))
    stack.defer(() => void undone.push(3))
    stack.defer(() => {
      throw new Error('fourth')
    })
    const error = await stack.close().catch((reason: unknown) => reason)
    expect(undone).toEqual([3, 1])
    expect(error).toBeInstanceOf(AggregateError)
    expect((error as AggregateError).message).toBe('2 resources failed to close')
    expect((error as AggregateError).errors.map(String)).toEqual(['Error: fourth', 'Error: second'])
  })

  test('throws a single error as it is', async () => {
    const stack = new DisposeStack()
    const failure = new Error('only')
    stack.defer(() => Promise.reject(failure))
    await expect(stack.close()).rejects.toBe(failure)
  })

  test('undoes once, however often it is closed', async () => {
    const stack = new DisposeStack()
    let times = 0
    stack.defer(() => void times++)
    await Promise.all([stack.close(), stack.close()])
    await stack.close()
    expect(times).toBe(1)
  })
})
