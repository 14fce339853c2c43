import type { components } from './schema';

type Body = components['schemas']['Problem'];

/** A request that was refused or failed (RFC 9457), or that got no answer (status 0). */
export class Problem extends Error {
  readonly status: number;
  readonly code: string;
  readonly requestId: string;
  readonly errors: components['schemas']['ProblemField'][];

  constructor(body: Pick<Body, 'status' | 'code' | 'detail'> & Partial<Body>) {
    super(sentence(body.detail));
    this.name = 'Problem';
    this.status = body.status;
    this.code = body.code;
    this.requestId = body.request_id ?? '';
    this.errors = body.errors ?? [];
  }

  static unreachable(): Problem {
    const detail = 'mPanel does not answer: check the connection, then try again';
    return new Problem({ status: 0, code: 'unreachable', detail });
  }

  /** Of an answer that is an error; a proxy's may be no problem document. */
  static of(response: Response, body: unknown): Problem {
    if (typeof body === 'object' && body !== null && 'detail' in body) return new Problem(body as Body);
    const detail = `mPanel, or a proxy before it, answered ${response.status} ${response.statusText}`.trim();
    return new Problem({ status: response.status, code: 'unknown', detail });
  }
}

/** The problem of whatever was thrown. */
export function problemOf(cause: unknown): Problem {
  if (cause instanceof Problem) return cause;
  const detail = cause instanceof Error ? cause.message : String(cause);
  return new Problem({ status: 0, code: 'console', detail: `the console failed: ${detail}` });
}

function sentence(text: string): string {
  // They are shown below it, or at their fields.
  const said = text.replace(/; see `errors`( for .*)?$/, '');
  // The product's name is written so.
  return said.startsWith('mPanel') ? said : said.charAt(0).toUpperCase() + said.slice(1);
}
