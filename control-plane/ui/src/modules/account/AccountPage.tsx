import { useMe } from '@/api/me';
import { EmptyState } from '@/lib/page/EmptyState';
import { Page } from '@/lib/page/Page';
import { PasswordSection } from './PasswordSection';
import { SessionsSection } from './SessionsSection';
import { TokensSection } from './TokensSection';
import { TotpSection } from './TotpSection';

export function AccountPage() {
  const { user } = useMe();
  if (!user) {
    return (
      <Page title="Account">
        <EmptyState title="The platform's own token has no account" />
      </Page>
    );
  }
  return (
    <Page title="Account" about={`${user.name} · ${user.email}`}>
      <PasswordSection />
      <TotpSection user={user} />
      <SessionsSection />
      <TokensSection />
    </Page>
  );
}
