import { z } from 'zod';

/** Longest wait a key may ask for: a timer cannot be set for more than 2^31 ms, about 24.8 days. */
const longestSeconds = 2_000_000;
export const oneDaySeconds = 86_400;

/** A key that is always there, with its default. */
export function setting<T extends z.ZodType>(
  type: T,
  standard: z.util.NoUndefined<z.output<T>>,
  meaning: string,
) {
  return type.default(standard).describe(meaning);
}

/** A key that may be left out. */
export function choice<T extends z.ZodType>(type: T, meaning: string) {
  return type.optional().describe(meaning);
}

export const text = z.string().min(1);
export const seconds = (min: number, max: number = longestSeconds) => z.number().min(min).max(max);
