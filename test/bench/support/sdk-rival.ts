/** The rival: the official package's bare upload loop. `sdk-rival.ts BASE_URL DIRECTORY CONCURRENCY`. */
import { createReadStream, readdirSync } from 'node:fs';
import { join } from 'node:path';
import OpenAI from 'openai';

const [baseURL, directory, concurrency] = process.argv.slice(2);
if (baseURL === undefined || directory === undefined) throw new TypeError('needs a base URL and a directory');
const client = new OpenAI({ baseURL, apiKey: 'sk-bench', maxRetries: 0 });
const names = readdirSync(directory).values();

async function uploadSome(): Promise<void> {
  for (const name of names) {
    await client.files.create({ purpose: 'user_data', file: createReadStream(join(directory ?? '', name)) });
  }
}

await Promise.all(Array.from({ length: Number(concurrency) }, uploadSome));
