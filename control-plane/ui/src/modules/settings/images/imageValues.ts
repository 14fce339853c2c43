import type { components } from '@/api/schema';
import type { Typed } from '@/lib/forms/numbers';
import type { Image } from './images';

export interface Values {
  name: string;
  os: string;
  default_user: string;
  min_disk_gib: Typed;
  /** A VMID where it is a number, otherwise a name. */
  template: string;
  templates: { server: string; template: string }[];
  active: boolean;
}

export const EMPTY: Values = {
  name: '',
  os: '',
  default_user: '',
  min_disk_gib: '',
  template: '',
  templates: [],
  active: true,
};

export const faults = {
  template: (template: string, { templates }: Values) =>
    template.trim() || templates.length > 0 ? null : 'Say where the template is, here or for particular servers',
  templates: {
    server: (server: string) => (server ? null : 'Choose one'),
    template: (template: string) => (template.trim() ? null : 'Is missing'),
  },
};

type Place = Pick<components['schemas']['ImageTemplateBody'], 'template_vmid' | 'template_name'>;

function typed({ template_vmid, template_name }: Place): string {
  return template_name ?? (template_vmid == null ? '' : String(template_vmid));
}

function placeOf(template: string): Place {
  const text = template.trim();
  if (/^\d+$/.test(text)) return { template_vmid: Number(text), template_name: null };
  return { template_vmid: null, template_name: text || null };
}

export function valuesOf(image: Image): Values {
  const { name, os, default_user, min_disk_gib, active } = image;
  const templates = image.templates.map((one) => ({ server: one.server_id, template: typed(one) }));
  return { name, os, default_user, min_disk_gib: min_disk_gib || '', template: typed(image), templates, active };
}

export function bodyOf({ min_disk_gib, template, templates, ...rest }: Values) {
  return {
    ...rest,
    min_disk_gib: Number(min_disk_gib),
    ...placeOf(template),
    templates: templates.map((one) => ({ server: one.server, ...placeOf(one.template) })),
  };
}
