import { TextInput, type TextInputProps } from '@mantine/core';

// What the forms of a tenant and of a customer, which is one, share.

/** The name of one that is made. */
export function TenantName(props: TextInputProps) {
  return (
    <TextInput
      label="Name"
      description="The tenant’s; unique"
      placeholder="acme"
      required
      maxLength={100}
      data-autofocus
      {...props}
    />
  );
}

export function TenantContact(props: TextInputProps) {
  return (
    <TextInput
      type="email"
      label="E-mail address"
      description="Whom to write to; its owners when left out"
      maxLength={254}
      {...props}
    />
  );
}

export function TenantRegion(props: TextInputProps) {
  return (
    <TextInput
      label="Region"
      description="Where CloudPods go that name none; anywhere when left out"
      maxLength={63}
      {...props}
    />
  );
}
