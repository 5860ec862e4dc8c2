import { z } from 'zod'
import { kebab } from './check.ts'

const forms: Readonly<Record<string, string>> = { boolean: '<true|false>', integer: '<n>', number: '<n>' }

/** An option as help and listings tell it. */
export interface Described {
  readonly name: string
  readonly default: unknown
  readonly description: string
  /** what stands for its value in help, as in `<n>` */
  readonly form: string
  readonly choices?: readonly string[]
}

/** Names, defaults and descriptions of an entry's options, for help and listings. */
export function describeOptions(schema: z.ZodObject, prefix = ''): Described[] {
  return Object.entries(schema.shape as Record<string, z.ZodType>).map(([key, type]) => {
    const json = z.toJSONSchema(type, { io: 'input', unrepresentable: 'any' }) as {
      default?: unknown
      description?: string
      enum?: (string | number)[]
      type?: string
    }
    return {
      name: prefix + kebab(key),
      default: json.default ?? null,
      description: type.description ?? json.description ?? '',
      form: forms[json.type ?? ''] ?? '<name>',
      ...(json.enum ? { choices: json.enum.map(String) } : {}),
    }
  })
}
