/** Requests as bytes, for what a well-behaved client would never send. */
import { connect } from 'node:net';

export interface Field {
  readonly name: string;
  readonly value: string;
  /** Given: the part is a file. */
  readonly filename?: string;
}

const BOUNDARY = 'frontier-7d1';

export function formBody(fields: readonly Field[]): string {
  const parts = fields.map(({ name, value, filename }) => {
    const file = filename === undefined ? '' : `; filename="${filename}"`;
    return `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"${file}\r\n\r\n${value}\r\n`;
  });
  return `${parts.join('')}--${BOUNDARY}--\r\n`;
}

const formType = `multipart/form-data; boundary=${BOUNDARY}`;

export function upload(
  filesUrl: string,
  fields: readonly Field[],
  headers: Record<string, string> = {},
  signal: AbortSignal | null = null,
): Promise<Response> {
  return fetch(filesUrl, {
    method: 'POST',
    headers: { authorization: 'Bearer sk-test', 'content-type': formType, ...headers },
    body: formBody(fields),
    signal,
  });
}

export function fileFields(filename: string, value: string, purpose = 'user_data'): Field[] {
  return [
    { name: 'purpose', value: purpose },
    { name: 'file', value, filename },
  ];
}

export interface ErrorBody {
  readonly error: {
    readonly message: string;
    readonly type: string;
    readonly param: string | null;
    readonly code: string | null;
  };
}

/**
 * Sends the head of an upload that announces `announcedBytes`, and `body`; then ends the connection unless told
 * to `linger`. Resolves with what came back when the connection is over.
 */
export function sendRaw(
  filesUrl: string,
  body: string,
  announcedBytes: number,
  linger: boolean,
): Promise<string> {
  const { hostname, port, pathname } = new URL(filesUrl);
  const head = [
    `POST ${pathname} HTTP/1.1`,
    `Host: ${hostname}`,
    'Authorization: Bearer sk-test',
    `Content-Type: ${formType}`,
    `Content-Length: ${announcedBytes}`,
    '\r\n',
  ].join('\r\n');
  return new Promise((resolve) => {
    let received = '';
    const socket = connect(Number(port), hostname, () => {
      socket.write(head + body);
      if (!linger) socket.end();
    });
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => (received += text));
    socket.on('error', () => {});
    socket.on('close', () => resolve(received));
  });
}
