import { ApiError } from './api-error.ts';

/** The number that `text` is. Throws `ApiError` in OpenAI's words when it is none or out of bounds. */
export function boundedInteger(text: string, param: string, min: number, max: number): number {
  if (!/^-?\d{1,15}$/.test(text)) {
    throw new ApiError(400, `Invalid type for '${param}': expected an integer, but got '${text}' instead.`, {
      param,
      code: 'invalid_type',
    });
  }
  const value = Number(text);
  const [bound, side, sign] = value < min ? [min, 'below', '>='] : [max, 'above', '<='];
  if (value >= min && value <= max) return value;
  const extreme = side === 'below' ? 'minimum' : 'maximum';
  throw new ApiError(
    400,
    `Invalid '${param}': integer ${side} ${extreme} value. Expected a value ${sign} ${bound}, but got ${value} instead.`,
    { param, code: side === 'below' ? 'integer_below_min_value' : 'integer_above_max_value' },
  );
}
