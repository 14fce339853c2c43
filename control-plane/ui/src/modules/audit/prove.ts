import { api, unwrap } from '@/api/client';
import type { components } from '@/api/schema';

export type Proof = components['schemas']['AuditProof'];

interface Known {
  known_count?: number;
  known_head?: string;
}

/** Walks the chain part by part, telling after each how far it is and all that was found. */
export async function prove(known: Known, tell: (proof: Proof) => void): Promise<Proof> {
  let so: Proof | undefined;
  for (;;) {
    const next = so?.next;
    const place = next ? { after_seq: next.after_seq, after_record: next.after_record ?? undefined } : {};
    const part: Proof = await unwrap(api.GET('/api/admin/audit/verify', { params: { query: { ...known, ...place } } }));
    const breaks: Proof['breaks'] = [...(so?.breaks ?? []), ...part.breaks];
    so = { ...part, breaks, ok: breaks.length === 0 };
    tell(so);
    if (part.complete) return so;
  }
}
