use serde_json::json;

use crate::domain::audit::{Actor, Scope};
use crate::domain::check::Checks;
use crate::domain::cloudpods::asked::Asked;
use crate::domain::cloudpods::sagas::{PasswordParams, kind, secret_name};
use crate::domain::cloudpods::service::Service;
use crate::domain::cloudpods::{DesiredPower, Detail, check};
use crate::domain::jobs::Job;
use crate::domain::secrets::Secret;
use crate::error::{Error, Result};
use crate::ids::CloudPodId;

/// Letters and digits that nobody takes for one another.
const ALPHABET: &[u8] = b"abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
const GENERATED_LENGTH: usize = 20;

/// A new password.
#[derive(Clone, Debug, Default)]
pub struct ResetPassword {
    /// Whose; `None`: the user's that cloud-init made.
    pub user: Option<String>,
    /// `None`: one is made up.
    pub password: Option<Secret<String>>,
    /// Where no guest agent answers, let cloud-init set it and restart the pod.
    pub reboot: bool,
}

/// What a new password came to.
#[derive(Debug)]
pub struct PasswordReset {
    /// The pod and the job that sets it.
    pub asked: (Detail, Job),
    /// Whose it is.
    pub user: String,
    /// The password, if it was made up: told here and nowhere else.
    pub generated: Option<Secret<String>>,
}

impl Service {
    /// Sets a user's password in a pod's guest.
    pub async fn cloudpod_reset_password(
        &self,
        actor: &Actor,
        scope: Scope,
        id: CloudPodId,
        input: ResetPassword,
    ) -> Result<PasswordReset> {
        let ResetPassword { user, password, reboot } = input;
        let mut tx = self.db.begin().await?;
        let pod = self.pod_held(&mut tx, scope, id).await?;
        pod.state.power_change("get another password")?;
        let running = pod.desired_power == DesiredPower::Running;
        let user = user.unwrap_or_else(|| pod.cloud_init_user.clone());
        let mut checks = Checks::new();
        if let Err(message) = check::user(&user) {
            checks.wrong("user", message);
        } else if (reboot || !running) && user != pod.cloud_init_user {
            let own = &pod.cloud_init_user;
            let why = if running { "leave `reboot` out" } else { "start the pod first" };
            checks.wrong("user", format!("cloud-init sets only the password of {own}: {why}, or leave `user` out"));
        }
        if let Some(password) = &password {
            let (length, control) =
                (password.expose().chars().count(), password.expose().chars().any(char::is_control));
            checks.require(
                (8..=128).contains(&length) && !control,
                "password",
                "must have 8 to 128 characters, none of them a control character",
            );
        }
        checks.finish()?;
        let generated = if password.is_none() { Some(made_up()?) } else { None };
        let Some(secret) = password.or_else(|| generated.clone()) else {
            return Err(Error::internal("no password was given or made up"));
        };
        let params = PasswordParams { user: user.clone(), restart: reboot, running };
        let asked = Asked {
            kind: kind::RESET_PASSWORD,
            params: serde_json::to_value(params).map_err(Error::internal)?,
            event: "cloudpod.reset_password_requested",
            detail: json!({ "user": user, "generated": generated.is_some() }),
        };
        let job = self.job_ask(&mut tx, actor, &pod, asked).await?;
        let sealed = Secret::new(secret.expose().clone().into_bytes());
        self.books.secrets.secret_keep(&mut tx, &secret_name(job.id), &sealed).await?;
        tx.commit().await?;
        Ok(PasswordReset { asked: self.asked(scope, id, job).await?, user, generated })
    }
}

/// A random password of letters and digits: more than 115 bits.
fn made_up() -> Result<Secret<String>> {
    let mut password = String::with_capacity(GENERATED_LENGTH);
    while password.len() < GENERATED_LENGTH {
        let mut random = [0; 32];
        getrandom::fill(&mut random).map_err(Error::internal)?;
        // What lies beyond the last whole alphabet is left out, so that each letter is as likely as another.
        let fair = (256 / ALPHABET.len()) * ALPHABET.len();
        let letters = random.iter().map(|byte| usize::from(*byte)).filter(|byte| *byte < fair);
        let missing = GENERATED_LENGTH - password.len();
        password.extend(letters.take(missing).map(|byte| char::from(ALPHABET[byte % ALPHABET.len()])));
    }
    Ok(Secret::new(password))
}
