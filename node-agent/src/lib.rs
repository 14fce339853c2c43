//! The mPanel node agent: runs the control plane's commands on one Proxmox VE host.

pub mod proxmox;
