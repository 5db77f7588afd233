const redacted = '[redacted]';

/** Looks like a key of OpenAI's, whoever put it there: a server's message may quote one. */
const keyLike = /\bsk-[\w-]{16,}/g;

/** Shorter secrets would be found by chance in ordinary text. */
const shortestSecret = 6;

/** A function that takes the given secrets, and whatever looks like an API key, out of a text. */
export function redactor(secrets: readonly (string | null)[]): (text: string) => string {
  const known = secrets.filter(
    (secret): secret is string => secret !== null && secret.length >= shortestSecret,
  );
  return (text) => {
    let result = text;
    for (const secret of known) result = result.replaceAll(secret, redacted);
    return result.includes('sk-') ? result.replace(keyLike, redacted) : result;
  };
}
