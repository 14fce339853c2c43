use super::envelope::Sealed;
use crate::clock::Ms;
use crate::db::{Conn, Tx};
use crate::error::Result;
use crate::{execute, fetch_optional};

#[derive(sqlx::FromRow)]
struct SecretRow {
    nonce: Vec<u8>,
    ciphertext: Vec<u8>,
    public: Vec<u8>,
}

pub(super) async fn secret_get(conn: Conn<'_>, name: &str) -> Result<Option<(Sealed, Vec<u8>)>> {
    const SQL: &str = "SELECT nonce, ciphertext, public FROM sealed_secrets WHERE name = $1";
    let row = fetch_optional!(conn, SecretRow, SQL, name)?;
    Ok(row.map(|SecretRow { nonce, ciphertext, public }| (Sealed { nonce, ciphertext }, public)))
}

pub(super) async fn secret_insert(tx: &mut Tx, name: &str, sealed: &Sealed, public: &[u8], at: Ms) -> Result<()> {
    const SQL: &str = "INSERT INTO sealed_secrets (name, nonce, ciphertext, public, created_at)
                       VALUES ($1, $2, $3, $4, $5)
                       ON CONFLICT (name) DO NOTHING";
    let Sealed { nonce, ciphertext } = sealed;
    execute!(tx.conn(), SQL, name, nonce.as_slice(), ciphertext.as_slice(), public, at)?;
    Ok(())
}

pub(super) async fn secret_delete(tx: &mut Tx, name: &str) -> Result<()> {
    const SQL: &str = "DELETE FROM sealed_secrets WHERE name = $1";
    execute!(tx.conn(), SQL, name)?;
    Ok(())
}
