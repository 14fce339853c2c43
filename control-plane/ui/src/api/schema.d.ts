// Made by `npm run types` from the API document. Do not edit.

export interface paths {
    "/api/admin/audit": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Who did what, from where, to which: page by page. */
        get: {
            parameters: {
                query?: {
                    /** @description Of this tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                    /** @description Of this actor, as the records have it: `user:<id>`, `token:<id>`, `agent:<id>`, `system:<part>`. */
                    actor?: string;
                    /** @description Of this action, e.g. `server.created`. */
                    action?: string;
                    /** @description About this noun, e.g. `server`. */
                    target_kind?: string;
                    /** @description With this id. */
                    target_id?: string;
                    /** @description From this time on. */
                    from?: components["schemas"]["Ms"];
                    /** @description Before this time. */
                    until?: components["schemas"]["Ms"];
                    /** @description In which order; the newest first when left out. */
                    sort?: "-created_at" | "created_at";
                    /** @description Items on a page; at most 200. */
                    limit?: number;
                    /** @description `next_page_token` of the page before, with the same filters. */
                    page_token?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Page_AuditRecordNamed"];
                    };
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/admin/audit/export": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The records as a file, the oldest first. It breaks off when something goes wrong midway, or when the caller loses the right to it.
         *     That it was taken is itself a record.
         */
        get: {
            parameters: {
                query?: {
                    /** @description The form of the file. */
                    format?: ("ndjson" | "csv") & Record<string, never>;
                    /** @description Of this tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                    /** @description Of this actor. */
                    actor?: string;
                    /** @description Of this action. */
                    action?: string;
                    /** @description About this noun. */
                    target_kind?: string;
                    /** @description With this id. */
                    target_id?: string;
                    /** @description From this time on. */
                    from?: components["schemas"]["Ms"];
                    /** @description Before this time. */
                    until?: components["schemas"]["Ms"];
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/x-ndjson": string;
                        "text/csv": string;
                    };
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/admin/audit/records/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One record. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    id: components["schemas"]["AuditId"];
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["AuditRecordNamed"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/admin/audit/verify": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Proves that no record was changed, removed or put in: a part of some seconds at a time, to be asked for the rest with the
         *     answer's `next`, for as long as there is one. Says where what does not fit.
         */
        get: {
            parameters: {
                query?: {
                    /** @description `next.after_seq` of the part before. */
                    after_seq?: number;
                    /** @description `next.after_record` of the part before. */
                    after_record?: components["schemas"]["AuditId"];
                    /** @description The `count` that was noted some time ago, to be proven with `known_head`. */
                    known_count?: number;
                    /** @description The `head` of that time. */
                    known_head?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["AuditProof"];
                    };
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/admin/customers": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Customers' profiles, page by page. */
        get: {
            parameters: {
                query?: {
                    /** @description Whose name, company, contact or address of mail holds this, in any case. */
                    q?: string;
                    /** @description Suspended or not. */
                    suspended?: boolean;
                    /** @description With an order that is open beyond its time, or without. */
                    overdue?: boolean;
                    /** @description The newest first when left out. */
                    sort?: "-created_at" | "created_at" | "name" | "-name";
                    /** @description Items on a page; at most 200. */
                    limit?: number;
                    /** @description `next_page_token` of the page before, with the same filters. */
                    page_token?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Page_Customer"];
                    };
                };
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        /** Makes a tenant with a profile. */
        post: {
            parameters: {
                query?: never;
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["CustomerCreate"];
                };
            };
            responses: {
                201: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Customer"];
                    };
                };
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/admin/customers/{tenant_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One customer's profile. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    tenant_id: components["schemas"]["TenantId"];
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Customer"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        /** Deletes a customer's profile. The tenant and its pods stay. */
        delete: {
            parameters: {
                query?: never;
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    tenant_id: components["schemas"]["TenantId"];
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description It is gone */
                204: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                412: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        options?: never;
        head?: never;
        /** Changes a customer's profile, or makes it. With `If-Match`, only if it is still as it was read. */
        patch: {
            parameters: {
                query?: never;
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    tenant_id: components["schemas"]["TenantId"];
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["CustomerPatch"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Customer"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                412: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        trace?: never;
    };
    "/api/admin/hosting/backups": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A tenant's backups, the newest first, also those of CloudPods that are deleted. */
        get: {
            parameters: {
                query?: {
                    /** @description Of this tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                    /** @description Of this CloudPod. */
                    cloudpod_id?: components["schemas"]["CloudPodId"];
                    /** @description Items on a page; at most 200. */
                    limit?: number;
                    /** @description `next_page_token` of the page before, with the same filters. */
                    page_token?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Page_Backup"];
                    };
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/admin/hosting/backups/{backup}/recreate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Makes a new CloudPod of a backup, whose own CloudPod may be deleted: its disk, with addresses, MAC addresses and a firewall of its
         *     own.
         */
        post: {
            parameters: {
                query?: {
                    /** @description The tenant. Staff who name none see the pods of all, and make new ones for the default tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                };
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    backup: components["schemas"]["BackupId"];
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["BackupRecreate"];
                };
            };
            responses: {
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["CloudPodAndJob"];
                    };
                };
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description No server that sees the backup can take it; the reason per server, to whom servers are shown. Nothing was made. */
                507: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/admin/hosting/cloudpods": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** CloudPods, page by page. */
        get: {
            parameters: {
                query?: {
                    /** @description Of this tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                    /** @description In this state; left out: all but the deleted. */
                    state?: "requested" | "provisioning" | "active" | "suspended" | "deleting" | "deleted" | "failed";
                    /** @description On this server: its id or name. */
                    server_id?: string;
                    /** @description Of this plan: its id or name. */
                    plan_id?: string;
                    /** @description Whose name begins so. */
                    name_prefix?: string;
                    /** @description That holds this IP address. */
                    address?: string;
                    /** @description In which order; the newest first when left out. Deleted ones are not sorted by name. */
                    sort?: "-created_at" | "created_at" | "name" | "-name";
                    /** @description Items on a page; at most 200. */
                    limit?: number;
                    /** @description `next_page_token` of the page before, with the same filters. */
                    page_token?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Page_CloudPod"];
                    };
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        /** Makes a CloudPod: 202 with the job that provisions it. */
        post: {
            parameters: {
                query?: {
                    /** @description The tenant. Staff who name none see the pods of all, and make new ones for the default tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                };
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["CloudPodCreate"];
                };
            };
            responses: {
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["CloudPodAndJob"];
                    };
                };
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description No server can take it; the reason per server, to whom servers are shown. Nothing was made. */
                507: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/admin/hosting/cloudpods/adopt": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Makes a CloudPod of a VM that somebody else made: 202 with the job that puts our stamp on it. Nothing else of the VM is
         *     changed. Its network cards and its cloud-init user stay what they are until it is rebuilt.
         */
        post: {
            parameters: {
                query?: {
                    /** @description The tenant. Staff who name none see the pods of all, and make new ones for the default tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                };
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["CloudPodAdopt"];
                };
            };
            responses: {
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["CloudPodAndJob"];
                    };
                };
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/admin/hosting/cloudpods/counts": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** How many CloudPods there are, by state, and the active ones by power; the deleted are not counted. */
        get: {
            parameters: {
                query?: {
                    /** @description The tenant. Staff who name none see the pods of all, and make new ones for the default tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["CloudPodCounts"];
                    };
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/admin/hosting/cloudpods/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One CloudPod; also one that is deleted. */
        get: {
            parameters: {
                query?: {
                    /** @description The tenant. Staff who name none see the pods of all, and make new ones for the default tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                };
                header?: never;
                path: {
                    id: components["schemas"]["CloudPodId"];
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["CloudPod"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        /** Removes a CloudPod: 202 with the job that destroys its VM. What it held is free once its VM is known to be absent. */
        delete: {
            parameters: {
                query?: {
                    /** @description The tenant. Staff who name none see the pods of all, and make new ones for the default tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                };
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    id: components["schemas"]["CloudPodId"];
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["CloudPodAndJob"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        options?: never;
        head?: never;
        /** Changes a CloudPod's record: its name, and the server that it is pinned to. */
        patch: {
            parameters: {
                query?: {
                    /** @description The tenant. Staff who name none see the pods of all, and make new ones for the default tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                };
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    id: components["schemas"]["CloudPodId"];
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["CloudPodPatch"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["CloudPod"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                412: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        trace?: never;
    };
    "/api/admin/hosting/cloudpods/{id}/backup-policy": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** When backups of a CloudPod are made by themselves, and how long they are kept. */
        get: {
            parameters: {
                query?: {
                    /** @description The tenant. Staff who name none see the pods of all, and make new ones for the default tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                };
                header?: never;
                path: {
                    id: components["schemas"]["CloudPodId"];
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["BackupPolicy"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        /** Changes when backups of a CloudPod are made by themselves, and how long they are kept. */
        patch: {
            parameters: {
                query?: {
                    /** @description The tenant. Staff who name none see the pods of all, and make new ones for the default tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                };
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    id: components["schemas"]["CloudPodId"];
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["BackupPolicyPatch"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["BackupPolicy"];
                    };
                };
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                412: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        trace?: never;
    };
    "/api/admin/hosting/cloudpods/{id}/backups": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A CloudPod's backups, the newest first. */
        get: {
            parameters: {
                query?: {
                    /** @description The tenant. Staff who name none see the pods of all, and make new ones for the default tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                    /** @description Items on a page; at most 200. */
                    limit?: number;
                    /** @description `next_page_token` of the page before, with the same filters. */
                    page_token?: string;
                };
                header?: never;
                path: {
                    id: components["schemas"]["CloudPodId"];
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Page_Backup"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        /** Makes a backup of a CloudPod. */
        post: {
            parameters: {
                query?: {
                    /** @description The tenant. Staff who name none see the pods of all, and make new ones for the default tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                };
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    id: components["schemas"]["CloudPodId"];
                };
                cookie?: never;
            };
            requestBody?: {
                content: {
                    "application/json": components["schemas"]["BackupCreate"] | null;
                };
            };
            responses: {
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["CloudPodAndJob"];
                    };
                };
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/admin/hosting/cloudpods/{id}/backups/{backup}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Deletes a backup that is not protected. Its CloudPod may be deleted already. */
        delete: {
            parameters: {
                query?: {
                    /** @description The tenant. Staff who name none see the pods of all, and make new ones for the default tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                };
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    id: components["schemas"]["CloudPodId"];
                    backup: components["schemas"]["BackupId"];
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["CloudPodAndJob"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        options?: never;
        head?: never;
        /** Says whether and how long a backup is kept. */
        patch: {
            parameters: {
                query?: {
                    /** @description The tenant. Staff who name none see the pods of all, and make new ones for the default tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                };
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    id: components["schemas"]["CloudPodId"];
                    backup: components["schemas"]["BackupId"];
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["BackupPatch"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Backup"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        trace?: never;
    };
    "/api/admin/hosting/cloudpods/{id}/backups/{backup}/restore": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Takes a CloudPod back to a backup; what it was since is lost. One whose host was declared lost is restored elsewhere. */
        post: {
            parameters: {
                query?: {
                    /** @description The tenant. Staff who name none see the pods of all, and make new ones for the default tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                };
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    id: components["schemas"]["CloudPodId"];
                    backup: components["schemas"]["BackupId"];
                };
                cookie?: never;
            };
            requestBody?: {
                content: {
                    "application/json": components["schemas"]["BackupRestore"] | null;
                };
            };
            responses: {
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["CloudPodAndJob"];
                    };
                };
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/admin/hosting/cloudpods/{id}/capture": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Makes an image of a CloudPod, for its tenant alone. Pods of it can be made on the CloudPod's server. */
        post: {
            parameters: {
                query?: {
                    /** @description The tenant. Staff who name none see the pods of all, and make new ones for the default tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                };
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    id: components["schemas"]["CloudPodId"];
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["ImageCapture"];
                };
            };
            responses: {
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["CloudPodAndJob"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/admin/hosting/cloudpods/{id}/console": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Gives a ticket for a CloudPod's console. */
        post: {
            parameters: {
                query?: {
                    /** @description The tenant. Staff who name none see the pods of all, and make new ones for the default tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                };
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    id: components["schemas"]["CloudPodId"];
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["ConsoleAsk"];
                };
            };
            responses: {
                201: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ConsoleTicket"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/admin/hosting/cloudpods/{id}/firewall": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A CloudPod's firewall, and whether it is in effect on its host. */
        get: {
            parameters: {
                query?: {
                    /** @description The tenant. Staff who name none see the pods of all, and make new ones for the default tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                };
                header?: never;
                path: {
                    id: components["schemas"]["CloudPodId"];
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Firewall"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        /** Says what a CloudPod's firewall is from now on, as a whole: 202 with the job that brings it to its host. */
        put: {
            parameters: {
                query?: {
                    /** @description The tenant. Staff who name none see the pods of all, and make new ones for the default tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                };
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    id: components["schemas"]["CloudPodId"];
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["FirewallPut"];
                };
            };
            responses: {
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["CloudPodAndJob"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                412: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/admin/hosting/cloudpods/{id}/media": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Puts a CD into a CloudPod's drive or takes it out, and says what it boots from. */
        post: {
            parameters: {
                query?: {
                    /** @description The tenant. Staff who name none see the pods of all, and make new ones for the default tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                };
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    id: components["schemas"]["CloudPodId"];
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["CloudPodSetMedia"];
                };
            };
            responses: {
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["CloudPodAndJob"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/admin/hosting/cloudpods/{id}/migrate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Moves a CloudPod to another server: 202 with the job. It holds room on both until both agents have confirmed the move. */
        post: {
            parameters: {
                query?: {
                    /** @description The tenant. Staff who name none see the pods of all, and make new ones for the default tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                };
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    id: components["schemas"]["CloudPodId"];
                };
                cookie?: never;
            };
            requestBody?: {
                content: {
                    "application/json": components["schemas"]["CloudPodMigrate"] | null;
                };
            };
            responses: {
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["CloudPodAndJob"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description No server can take it; the reason per server. Nothing was begun. */
                507: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/admin/hosting/cloudpods/{id}/placement": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Why a CloudPod is on its server and not on another; without the permission servers:read, in which region it is. */
        get: {
            parameters: {
                query?: {
                    /** @description The tenant. Staff who name none see the pods of all, and make new ones for the default tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                };
                header?: never;
                path: {
                    id: components["schemas"]["CloudPodId"];
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Placement"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/admin/hosting/cloudpods/{id}/reboot": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Asks a CloudPod's guest to restart. */
        post: {
            parameters: {
                query?: {
                    /** @description The tenant. Staff who name none see the pods of all, and make new ones for the default tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                };
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    id: components["schemas"]["CloudPodId"];
                };
                cookie?: never;
            };
            requestBody?: {
                content: {
                    "application/json": components["schemas"]["CloudPodReboot"] | null;
                };
            };
            responses: {
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["CloudPodAndJob"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/admin/hosting/cloudpods/{id}/rebuild": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Makes a CloudPod anew from an image. All that is on its disk and its snapshots are lost; its id and addresses stay, as do its backups. */
        post: {
            parameters: {
                query?: {
                    /** @description The tenant. Staff who name none see the pods of all, and make new ones for the default tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                };
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    id: components["schemas"]["CloudPodId"];
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["CloudPodRebuild"];
                };
            };
            responses: {
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["CloudPodAndJob"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/admin/hosting/cloudpods/{id}/rescue": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Stops a CloudPod and starts it from a rescue CD. */
        post: {
            parameters: {
                query?: {
                    /** @description The tenant. Staff who name none see the pods of all, and make new ones for the default tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                };
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    id: components["schemas"]["CloudPodId"];
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["CloudPodRescue"];
                };
            };
            responses: {
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["CloudPodAndJob"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/admin/hosting/cloudpods/{id}/reset-password": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Sets a user's password in a CloudPod's guest: through its guest agent or, with `reboot`, by cloud-init. */
        post: {
            parameters: {
                query?: {
                    /** @description The tenant. Staff who name none see the pods of all, and make new ones for the default tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                };
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    id: components["schemas"]["CloudPodId"];
                };
                cookie?: never;
            };
            requestBody?: {
                content: {
                    "application/json": components["schemas"]["CloudPodResetPassword"] | null;
                };
            };
            responses: {
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["CloudPodPasswordAndJob"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/admin/hosting/cloudpods/{id}/resize": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Changes a CloudPod's size: to a plan's; single figures are the platform's to choose. The disk only grows. */
        post: {
            parameters: {
                query?: {
                    /** @description The tenant. Staff who name none see the pods of all, and make new ones for the default tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                };
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    id: components["schemas"]["CloudPodId"];
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["CloudPodResize"];
                };
            };
            responses: {
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["CloudPodAndJob"];
                    };
                };
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description Its server has no room for what it would grow by. Nothing was changed. */
                507: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/admin/hosting/cloudpods/{id}/shutdown": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Asks a CloudPod's guest to shut down. */
        post: {
            parameters: {
                query?: {
                    /** @description The tenant. Staff who name none see the pods of all, and make new ones for the default tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                };
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    id: components["schemas"]["CloudPodId"];
                };
                cookie?: never;
            };
            requestBody?: {
                content: {
                    "application/json": components["schemas"]["CloudPodShutdown"] | null;
                };
            };
            responses: {
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["CloudPodAndJob"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/admin/hosting/cloudpods/{id}/snapshots": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A CloudPod's snapshots, in the order of their making, as its host last told. */
        get: {
            parameters: {
                query?: {
                    /** @description The tenant. Staff who name none see the pods of all, and make new ones for the default tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                    /** @description Items on a page; at most 200. */
                    limit?: number;
                    /** @description `next_page_token` of the page before, with the same filters. */
                    page_token?: string;
                };
                header?: never;
                path: {
                    id: components["schemas"]["CloudPodId"];
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Page_Snapshot"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        /** Takes a snapshot of a CloudPod. */
        post: {
            parameters: {
                query?: {
                    /** @description The tenant. Staff who name none see the pods of all, and make new ones for the default tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                };
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    id: components["schemas"]["CloudPodId"];
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["SnapshotCreate"];
                };
            };
            responses: {
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["CloudPodAndJob"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/admin/hosting/cloudpods/{id}/snapshots/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Deletes a snapshot of a CloudPod, which stays as it is. */
        delete: {
            parameters: {
                query?: {
                    /** @description The tenant. Staff who name none see the pods of all, and make new ones for the default tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                };
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    id: components["schemas"]["CloudPodId"];
                    name: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["CloudPodAndJob"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/admin/hosting/cloudpods/{id}/snapshots/{name}/rollback": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Takes a CloudPod back to a snapshot. What came after it is lost; its power is afterwards as it is wanted. */
        post: {
            parameters: {
                query?: {
                    /** @description The tenant. Staff who name none see the pods of all, and make new ones for the default tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                };
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    id: components["schemas"]["CloudPodId"];
                    name: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["CloudPodAndJob"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/admin/hosting/cloudpods/{id}/ssh-keys": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /** Replaces a CloudPod's SSH keys. They count from its next start on; with `reboot`, at once. */
        put: {
            parameters: {
                query?: {
                    /** @description The tenant. Staff who name none see the pods of all, and make new ones for the default tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                };
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    id: components["schemas"]["CloudPodId"];
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["CloudPodSshKeys"];
                };
            };
            responses: {
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["CloudPodAndJob"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                412: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/admin/hosting/cloudpods/{id}/start": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Starts a CloudPod. */
        post: {
            parameters: {
                query?: {
                    /** @description The tenant. Staff who name none see the pods of all, and make new ones for the default tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                };
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    id: components["schemas"]["CloudPodId"];
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["CloudPodAndJob"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/admin/hosting/cloudpods/{id}/stop": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Cuts a CloudPod's power. */
        post: {
            parameters: {
                query?: {
                    /** @description The tenant. Staff who name none see the pods of all, and make new ones for the default tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                };
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    id: components["schemas"]["CloudPodId"];
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["CloudPodAndJob"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/admin/hosting/cloudpods/{id}/suspend": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Locks a CloudPod against its customer and powers it off. */
        post: {
            parameters: {
                query?: {
                    /** @description The tenant. Staff who name none see the pods of all, and make new ones for the default tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                };
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    id: components["schemas"]["CloudPodId"];
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["CloudPodSuspend"];
                };
            };
            responses: {
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["CloudPodAndJob"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/admin/hosting/cloudpods/{id}/traffic": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What a CloudPod received and sent, by month, beside what its plan allows. */
        get: {
            parameters: {
                query?: {
                    /** @description The tenant, for staff. */
                    tenant_id?: components["schemas"]["TenantId"];
                    /** @description How many months, the present one among them. */
                    months?: number;
                };
                header?: never;
                path: {
                    id: components["schemas"]["CloudPodId"];
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["CloudPodTraffic"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/admin/hosting/cloudpods/{id}/unrescue": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Stops a CloudPod that is being rescued and starts it from its disk again. */
        post: {
            parameters: {
                query?: {
                    /** @description The tenant. Staff who name none see the pods of all, and make new ones for the default tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                };
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    id: components["schemas"]["CloudPodId"];
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["CloudPodAndJob"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/admin/hosting/cloudpods/{id}/unsuspend": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Gives a suspended CloudPod back to its customer, and starts it if it ran before. */
        post: {
            parameters: {
                query?: {
                    /** @description The tenant. Staff who name none see the pods of all, and make new ones for the default tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                };
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    id: components["schemas"]["CloudPodId"];
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["CloudPodAndJob"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/admin/hosting/images": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The images that a tenant sees: its own and the platform's; all, to staff who name no tenant. */
        get: {
            parameters: {
                query?: {
                    /** @description The tenant. Staff who name none see the pods of all, and make new ones for the default tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                    /** @description Items on a page; at most 200. */
                    limit?: number;
                    /** @description `next_page_token` of the page before, with the same filters. */
                    page_token?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Page_Image"];
                    };
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/admin/hosting/images/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Deletes an image that was made of a CloudPod, with its template. */
        delete: {
            parameters: {
                query?: {
                    /** @description The tenant. Staff who name none see the pods of all, and make new ones for the default tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                };
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    id: components["schemas"]["ImageId"];
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["CloudPodAndJob"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/admin/hosting/plans": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The plans that CloudPods can be made of. */
        get: {
            parameters: {
                query?: {
                    /** @description The tenant. Staff who name none see the pods of all, and make new ones for the default tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                    /** @description Items on a page; at most 200. */
                    limit?: number;
                    /** @description `next_page_token` of the page before, with the same filters. */
                    page_token?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Page_Plan"];
                    };
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/admin/provisioning/queue": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** How much is queued, running, being undone and stuck. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["QueueView"];
                    };
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/admin/tenants": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Tenants, page by page: all of them for staff, one's own otherwise. */
        get: {
            parameters: {
                query?: {
                    /** @description Only this one. */
                    tenant_id?: components["schemas"]["TenantId"];
                    /** @description In this state. */
                    state?: "active" | "suspended";
                    /** @description Whose name begins so. */
                    name_prefix?: string;
                    /** @description In which order; the oldest first when left out. */
                    sort?: "-created_at" | "created_at" | "name" | "-name";
                    /** @description Items on a page; at most 200. */
                    limit?: number;
                    /** @description `next_page_token` of the page before, with the same filters. */
                    page_token?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Page_Tenant"];
                    };
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        /** Makes a tenant. */
        post: {
            parameters: {
                query?: never;
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["TenantCreate"];
                };
            };
            responses: {
                201: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Tenant"];
                    };
                };
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/admin/tenants/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One tenant. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    id: components["schemas"]["TenantId"];
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Tenant"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        /** Changes a tenant's settings. With `If-Match`, only if it is still as it was read. */
        patch: {
            parameters: {
                query?: never;
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    id: components["schemas"]["TenantId"];
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["TenantPatch"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Tenant"];
                    };
                };
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                412: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        trace?: never;
    };
    "/api/admin/tenants/{id}/quotas": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** How much a tenant may use, and uses at this moment. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    id: components["schemas"]["TenantId"];
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TenantQuotas"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        /**
         * Says how much a tenant may use. What it uses beyond that stays; it only gets no more. With `If-Match`, only if the tenant is
         *     still as it was read.
         */
        patch: {
            parameters: {
                query?: never;
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    id: components["schemas"]["TenantId"];
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["TenantQuotasPatch"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TenantQuotas"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                412: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        trace?: never;
    };
    "/api/admin/tenants/{id}/reactivate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Ends a tenant's suspension: jobs give back the pods that it took. Pods that were suspended for another reason stay so. */
        post: {
            parameters: {
                query?: never;
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    id: components["schemas"]["TenantId"];
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Tenant"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/admin/tenants/{id}/suspend": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Suspends a tenant: its people may only read, nothing new is made for it, and jobs suspend its pods. Asked again, it stays suspended
         *     for the first reason.
         */
        post: {
            parameters: {
                query?: never;
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    id: components["schemas"]["TenantId"];
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["TenantSuspend"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Tenant"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/admin/tokens": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Everybody's API tokens of a tenant that are good. */
        get: {
            parameters: {
                query?: {
                    /** @description Of this tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                    /** @description Of this person. */
                    user_id?: components["schemas"]["UserId"];
                    /** @description Items on a page; at most 200. */
                    limit?: number;
                    /** @description `next_page_token` of the page before, with the same filters. */
                    page_token?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Page_ApiToken"];
                    };
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/admin/tokens/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Revokes anybody's API token of a tenant, with all that were made with it. */
        delete: {
            parameters: {
                query?: {
                    /** @description Of this tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                };
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    id: components["schemas"]["TokenId"];
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description It is no longer good */
                204: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/admin/users": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A tenant's people, page by page. */
        get: {
            parameters: {
                query?: {
                    /** @description Of this tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                    /** @description Of this role. */
                    role?: "MEMBER" | "BILLING" | "ADMIN" | "OWNER";
                    /** @description In this state. */
                    state?: "active" | "suspended";
                    /** @description Whose address begins so. */
                    email_prefix?: string;
                    /** @description Whose name begins so. */
                    name_prefix?: string;
                    /** @description In which order; by when their accounts were made when left out. */
                    sort?: "created_at" | "-created_at" | "email" | "-email";
                    /** @description Items on a page; at most 200. */
                    limit?: number;
                    /** @description `next_page_token` of the page before, with the same filters. */
                    page_token?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Page_User"];
                    };
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/admin/users/invitations": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Open invitations, page by page. */
        get: {
            parameters: {
                query?: {
                    /** @description Of this tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                    /** @description Items on a page; at most 200. */
                    limit?: number;
                    /** @description `next_page_token` of the page before, with the same filters. */
                    page_token?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Page_Invitation"];
                    };
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/admin/users/invitations/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Takes an invitation back. */
        delete: {
            parameters: {
                query?: {
                    /** @description Of this tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                };
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    id: components["schemas"]["InvitationId"];
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description It can no longer be accepted */
                204: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/admin/users/invite": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Invites somebody to a tenant, by mail where mails are sent; otherwise the answer holds what to give them. */
        post: {
            parameters: {
                query?: {
                    /** @description Of this tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                };
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["InvitationCreate"];
                };
            };
            responses: {
                201: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["InvitationCreated"];
                    };
                };
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/admin/users/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One of a tenant's people. */
        get: {
            parameters: {
                query?: {
                    /** @description Of this tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                };
                header?: never;
                path: {
                    id: components["schemas"]["UserId"];
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["User"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/admin/users/{id}/reactivate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Lets somebody in again. Tokens and sign-ins that ended stay ended. */
        post: {
            parameters: {
                query?: {
                    /** @description Of this tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                };
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    id: components["schemas"]["UserId"];
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["User"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/admin/users/{id}/role": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        /** Makes somebody something else in a tenant. With `If-Match`, only if they are still as they were read. */
        patch: {
            parameters: {
                query?: {
                    /** @description Of this tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                };
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    id: components["schemas"]["UserId"];
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["UserRolePatch"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["User"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                412: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        trace?: never;
    };
    "/api/admin/users/{id}/sessions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Somebody's sign-ins that stand, page by page. For a tenant's people: of somebody who belongs to that tenant alone. */
        get: {
            parameters: {
                query?: {
                    /** @description Of this tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                    /** @description Items on a page; at most 200. */
                    limit?: number;
                    /** @description `next_page_token` of the page before, with the same filters. */
                    page_token?: string;
                };
                header?: never;
                path: {
                    id: components["schemas"]["UserId"];
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Page_Session"];
                    };
                };
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/admin/users/{id}/sessions/{session_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Ends one of somebody's sign-ins: from this moment on its tokens are no good. */
        delete: {
            parameters: {
                query?: {
                    /** @description Of this tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                };
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    id: components["schemas"]["UserId"];
                    session_id: components["schemas"]["SessionId"];
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description It has ended */
                204: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/admin/users/{id}/suspend": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Shuts somebody out of a tenant at once. Their API tokens for it end, and all their sign-ins if no other tenant lets them in. */
        post: {
            parameters: {
                query?: {
                    /** @description Of this tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                };
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    id: components["schemas"]["UserId"];
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["User"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/admin/webhooks": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Webhooks, page by page. */
        get: {
            parameters: {
                query?: {
                    /** @description The tenant. Staff who name none have the platform's own, and see all. */
                    tenant_id?: components["schemas"]["TenantId"];
                    /** @description Items on a page; at most 200. */
                    limit?: number;
                    /** @description `next_page_token` of the page before, with the same filters. */
                    page_token?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Page_Webhook"];
                    };
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        /** Makes a webhook. Its secret is shown this once. */
        post: {
            parameters: {
                query?: {
                    /** @description The tenant. Staff who name none have the platform's own, and see all. */
                    tenant_id?: components["schemas"]["TenantId"];
                };
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["WebhookCreate"];
                };
            };
            responses: {
                201: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebhookCreated"];
                    };
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/admin/webhooks/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One webhook. */
        get: {
            parameters: {
                query?: {
                    /** @description The tenant. Staff who name none have the platform's own, and see all. */
                    tenant_id?: components["schemas"]["TenantId"];
                };
                header?: never;
                path: {
                    id: components["schemas"]["WebhookId"];
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Webhook"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        /** Deletes a webhook and what is known of its deliveries. */
        delete: {
            parameters: {
                query?: {
                    /** @description The tenant. Staff who name none have the platform's own, and see all. */
                    tenant_id?: components["schemas"]["TenantId"];
                };
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    id: components["schemas"]["WebhookId"];
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                204: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        options?: never;
        head?: never;
        /**
         * Changes a webhook. One that was made inactive, made active again, begins with what happens from then on. What was dropped is
         *     counted anew from when `active` was last set to true.
         */
        patch: {
            parameters: {
                query?: {
                    /** @description The tenant. Staff who name none have the platform's own, and see all. */
                    tenant_id?: components["schemas"]["TenantId"];
                };
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    id: components["schemas"]["WebhookId"];
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["WebhookPatch"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Webhook"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                412: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        trace?: never;
    };
    "/api/admin/webhooks/{id}/deliveries": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A webhook's messages, page by page, the newest first. */
        get: {
            parameters: {
                query?: {
                    /** @description The tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                    /** @description In this state. */
                    state?: "pending" | "delivered" | "failed";
                    /** @description Items on a page; at most 200. */
                    limit?: number;
                    /** @description `next_page_token` of the page before, with the same filters. */
                    page_token?: string;
                };
                header?: never;
                path: {
                    id: components["schemas"]["WebhookId"];
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Page_WebhookDelivery"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/admin/webhooks/{id}/deliveries/{delivery}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A message: what was sent, and each try. */
        get: {
            parameters: {
                query?: {
                    /** @description The tenant. Staff who name none have the platform's own, and see all. */
                    tenant_id?: components["schemas"]["TenantId"];
                };
                header?: never;
                path: {
                    id: components["schemas"]["WebhookId"];
                    delivery: components["schemas"]["DeliveryId"];
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebhookDeliveryDetail"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/admin/webhooks/{id}/deliveries/{delivery}/redeliver": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Sends a message once more, with the same `webhook-id`. */
        post: {
            parameters: {
                query?: {
                    /** @description The tenant. Staff who name none have the platform's own, and see all. */
                    tenant_id?: components["schemas"]["TenantId"];
                };
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    id: components["schemas"]["WebhookId"];
                    delivery: components["schemas"]["DeliveryId"];
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebhookDelivery"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/admin/webhooks/{id}/rotate-secret": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Makes a new secret, which is shown this once. For a day messages are signed with the old one too. */
        post: {
            parameters: {
                query?: {
                    /** @description The tenant. Staff who name none have the platform's own, and see all. */
                    tenant_id?: components["schemas"]["TenantId"];
                };
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    id: components["schemas"]["WebhookId"];
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebhookSecret"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/admin/webhooks/{id}/test": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Sends a message of the name `webhook.test`, whatever the webhook wants otherwise. */
        post: {
            parameters: {
                query?: {
                    /** @description The tenant. Staff who name none have the platform's own, and see all. */
                    tenant_id?: components["schemas"]["TenantId"];
                };
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    id: components["schemas"]["WebhookId"];
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebhookDelivery"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/login": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Signs in by e-mail and password. The address, or the account, that fails often has to wait (429). */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["SignIn"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Tokens"];
                    };
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/logout": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Ends the sign-in that asks, and takes a browser's cookies away. */
        post: {
            parameters: {
                query?: never;
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                204: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/me": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Who asks, where they belong and what they may do. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Me"];
                    };
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/oidc": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The providers by which one can sign in. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Providers"];
                    };
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/oidc/{name}/callback": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Takes a browser back from a provider, signs its person in and sends it to the console. Whoever is not let in is sent to its sign-in
         *     page, with `#oidc=` and the code of the problem: `unauthorized`, `unavailable` and so on.
         */
        get: {
            parameters: {
                query?: {
                    /** @description What the provider exchanges for who it is. */
                    code?: string;
                    /** @description What we sent along. */
                    state?: string;
                    /** @description Why the provider sends them back without. */
                    error?: string;
                };
                header?: never;
                path: {
                    name: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description To the console with cookies, or to its sign-in page with `#oidc=` and why not */
                303: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/oidc/{name}/start": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Sends a browser to a provider; where that cannot be, to the console's sign-in page with `#oidc=` and the code of the problem. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    name: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description To the provider, or to the console's sign-in page with `#oidc=` and why not */
                303: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/password": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Changes one's own password. It ends one's other sign-ins, and with `end_tokens` one's API tokens. */
        post: {
            parameters: {
                query?: never;
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["PasswordChange"];
                };
            };
            responses: {
                204: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/password/forgot": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Sends a link for a new password to this address, if it is somebody's. The answer is the same if it is not. */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["PasswordForgotten"];
                };
            };
            responses: {
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/password/reset": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Sets a new password by a link, which works once. It ends all sign-ins and API tokens of that person. */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["PasswordReset"];
                };
            };
            responses: {
                204: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/refresh": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Exchanges a refresh token, from the body or from a browser's cookie, for the next one and an access token. Each works once; one
         *     that is shown again ends the sign-in.
         */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: {
                content: {
                    "application/json": components["schemas"]["Refresh"] | null;
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Tokens"];
                    };
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/sessions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One's own sign-ins that stand, page by page. */
        get: {
            parameters: {
                query?: {
                    /** @description Items on a page; at most 200. */
                    limit?: number;
                    /** @description `next_page_token` of the page before, with the same filters. */
                    page_token?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Page_Session"];
                    };
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/sessions/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Ends one of one's own sign-ins: from this moment on its tokens are no good. */
        delete: {
            parameters: {
                query?: never;
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    id: components["schemas"]["SessionId"];
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                204: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/tokens": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One's own API tokens that are good. */
        get: {
            parameters: {
                query?: {
                    /** @description Items on a page; at most 200. */
                    limit?: number;
                    /** @description `next_page_token` of the page before, with the same filters. */
                    page_token?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Page_ApiToken"];
                    };
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        /** Makes an API token. Its secret is shown in this answer alone. */
        post: {
            parameters: {
                query?: never;
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["ApiTokenCreate"];
                };
            };
            responses: {
                201: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ApiTokenCreated"];
                    };
                };
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/tokens/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Revokes one of one's own API tokens, with all that were made with it. */
        delete: {
            parameters: {
                query?: never;
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    id: components["schemas"]["TokenId"];
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description It is no longer good */
                204: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/totp/confirm": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Asks for a second factor from now on. The answer holds the recovery codes, this once. */
        post: {
            parameters: {
                query?: never;
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["TotpConfirm"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["RecoveryCodes"];
                    };
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/totp/disable": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Asks for no second factor from now on. */
        post: {
            parameters: {
                query?: never;
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["TotpDisable"];
                };
            };
            responses: {
                204: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/totp/enrol": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Makes a secret for an authenticator. It counts for nothing until its first code is confirmed. */
        post: {
            parameters: {
                query?: never;
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["TotpEnrol"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TotpEnrolment"];
                    };
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/events": {
        parameters: {
            query?: never;
            header?: {
                /** @description Whose data: for who belongs to several tenants, one of them; for staff any */
                "X-Tenant-Id"?: string;
            };
            path?: never;
            cookie?: never;
        };
        /**
         * What happens, as it happens: server-sent events of all that the caller may see. A stream that was cut goes on after
         *     `Last-Event-ID`. It begins with `ready`; or with `reset` when what came after that id is no longer there: read anew what you
         *     show, and go on.
         */
        get: {
            parameters: {
                query?: {
                    /** @description Only of these names, separated by commas: `cloudpod.created`, or `cloudpod.*` for all of a noun. */
                    names?: string;
                    /** @description After this number, where no header `Last-Event-ID` can be sent; 0: all that there still are. */
                    after?: number;
                };
                header?: {
                    /** @description Whose data: for who belongs to several tenants, one of them; for staff any */
                    "X-Tenant-Id"?: string;
                    /** @description The id of the last event that was read */
                    "Last-Event-ID"?: number | null;
                };
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "text/event-stream": components["schemas"]["Event"];
                    };
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/platform/customers": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Customers, page by page, with how they are doing; and on the first page all of them in figures. */
        get: {
            parameters: {
                query?: {
                    /** @description Whose name, company, contact or address of mail holds this, in any case. */
                    q?: string;
                    /** @description Suspended or not. */
                    suspended?: boolean;
                    /** @description With an order that is open beyond its time, or without. */
                    overdue?: boolean;
                    /** @description The newest first when left out. */
                    sort?: "-created_at" | "created_at" | "name" | "-name";
                    /** @description Items on a page; at most 200. */
                    limit?: number;
                    /** @description `next_page_token` of the page before, with the same filters. */
                    page_token?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["CustomerPage"];
                    };
                };
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/platform/customers/{tenant_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One customer as a whole: what it has ordered and uses, who its people are, what happened, and how it is doing. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    tenant_id: components["schemas"]["TenantId"];
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["CustomerOverview"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/platform/drift": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What hosts show against what is wanted, the newest first. */
        get: {
            parameters: {
                query?: {
                    /** @description Of this kind; `orphan` for VMs that bear our stamp and are nobody's. */
                    kind?: "vm_missing" | "power" | "size" | "moved" | "renamed" | "autostart" | "network" | "firewall" | "locked" | "duplicate" | "orphan";
                    /** @description On this server: its id or name. */
                    server_id?: string;
                    /** @description Of this pod. */
                    cloudpod_id?: components["schemas"]["CloudPodId"];
                    /** @description Those that are over instead of those that are open. */
                    closed?: boolean;
                    /** @description Items on a page; at most 200. */
                    limit?: number;
                    /** @description `next_page_token` of the page before, with the same filters. */
                    page_token?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Page_Drift"];
                    };
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/platform/drift/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One difference; also one that is over. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    id: components["schemas"]["DriftId"];
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Drift"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/platform/drift/{id}/accept": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Makes what is seen what is wanted: power, size, name and autostart at once; the new place of a moved VM, or an orphan for its failed
         *     pod, by a job that has the hosts confirm it first.
         */
        post: {
            parameters: {
                query?: never;
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    id: components["schemas"]["DriftId"];
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["DriftAndJob"];
                    };
                };
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["DriftAndJob"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/platform/drift/{id}/destroy": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Removes an orphan, or a second VM of a pod: its agent destroys it only if it bears the very stamp. */
        post: {
            parameters: {
                query?: never;
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    id: components["schemas"]["DriftId"];
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["DriftConfirm"];
                };
            };
            responses: {
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["DriftAndJob"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/platform/drift/{id}/heal": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Makes a job that puts the pod back as it is wanted. */
        post: {
            parameters: {
                query?: never;
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    id: components["schemas"]["DriftId"];
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["DriftAndJob"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/platform/drift/{id}/release": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Takes our stamp off an orphan, or off a second VM of a pod, and changes nothing else of it: it is a foreign VM afterwards, which
         *     can be adopted.
         */
        post: {
            parameters: {
                query?: never;
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    id: components["schemas"]["DriftId"];
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["DriftConfirm"];
                };
            };
            responses: {
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["DriftAndJob"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/platform/images": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Images, page by page. */
        get: {
            parameters: {
                query?: {
                    /** @description Items on a page; at most 200. */
                    limit?: number;
                    /** @description `next_page_token` of the page before, with the same filters. */
                    page_token?: string;
                    active?: boolean;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Page_Image"];
                    };
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        /** Makes an image. */
        post: {
            parameters: {
                query?: never;
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["ImageCreate"];
                };
            };
            responses: {
                201: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Image"];
                    };
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/platform/images/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One image. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Id or name */
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Image"];
                    };
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        /** Deletes an image that no pod is made of. The templates stay where they are. */
        delete: {
            parameters: {
                query?: never;
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    /** @description Id or name */
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description It is gone */
                204: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        options?: never;
        head?: never;
        /** Changes an image. With `If-Match`, only if it is still as it was read. */
        patch: {
            parameters: {
                query?: never;
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    /** @description Id or name */
                    id: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["ImagePatch"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Image"];
                    };
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        trace?: never;
    };
    "/api/platform/invariants": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What must hold, and whether it does: leaked or doubly held addresses and capacity, jobs that nobody works on, drift, and
         *     more; each finding with since when and what to do.
         */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Invariants"];
                    };
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/platform/ip-pools": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Address pools, page by page. */
        get: {
            parameters: {
                query?: {
                    /** @description Items on a page; at most 200. */
                    limit?: number;
                    /** @description `next_page_token` of the page before, with the same filters. */
                    page_token?: string;
                    /** @description 4 or 6. */
                    family?: number;
                    region?: string;
                    active?: boolean;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Page_IpPool"];
                    };
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        /** Makes a pool. Its range may not overlap another's. */
        post: {
            parameters: {
                query?: never;
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["IpPoolCreate"];
                };
            };
            responses: {
                201: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["IpPool"];
                    };
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/platform/ip-pools/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One pool. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Id or name */
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["IpPool"];
                    };
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        /** Deletes a pool of which nobody holds an address. */
        delete: {
            parameters: {
                query?: never;
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    /** @description Id or name */
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description It is gone */
                204: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        options?: never;
        head?: never;
        /** Changes a pool. Addresses that are held stay as they are. With `If-Match`, only if it is still as it was read. */
        patch: {
            parameters: {
                query?: never;
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    /** @description Id or name */
                    id: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["IpPoolPatch"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["IpPool"];
                    };
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        trace?: never;
    };
    "/api/platform/ip-pools/{id}/addresses": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Who holds which address of a pool, in the addresses' order. */
        get: {
            parameters: {
                query?: {
                    /** @description Items on a page; at most 200. */
                    limit?: number;
                    /** @description `next_page_token` of the page before, with the same filters. */
                    page_token?: string;
                };
                header?: never;
                path: {
                    /** @description Id or name */
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Page_IpAddressHolder"];
                    };
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/platform/overview": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The fleet at a glance: how many servers are how, what of them is reserved, and which are the fullest. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["PlatformOverview"];
                    };
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/platform/plans": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Plans, page by page. */
        get: {
            parameters: {
                query?: {
                    /** @description Items on a page; at most 200. */
                    limit?: number;
                    /** @description `next_page_token` of the page before, with the same filters. */
                    page_token?: string;
                    active?: boolean;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Page_Plan"];
                    };
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        /** Makes a plan. */
        post: {
            parameters: {
                query?: never;
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["PlanCreate"];
                };
            };
            responses: {
                201: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Plan"];
                    };
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/platform/plans/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One plan. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Id or name */
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Plan"];
                    };
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        /** Deletes a plan that no pod is made of. */
        delete: {
            parameters: {
                query?: never;
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    /** @description Id or name */
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description It is gone */
                204: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        options?: never;
        head?: never;
        /** Changes a plan. With `If-Match`, only if it is still as it was read. */
        patch: {
            parameters: {
                query?: never;
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    /** @description Id or name */
                    id: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["PlanPatch"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Plan"];
                    };
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        trace?: never;
    };
    "/api/platform/provisioning/cloudpods": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** CloudPods, page by page. */
        get: {
            parameters: {
                query?: {
                    /** @description Of this tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                    /** @description In this state; left out: all but the deleted. */
                    state?: "requested" | "provisioning" | "active" | "suspended" | "deleting" | "deleted" | "failed";
                    /** @description On this server: its id or name. */
                    server_id?: string;
                    /** @description Of this plan: its id or name. */
                    plan_id?: string;
                    /** @description Whose name begins so. */
                    name_prefix?: string;
                    /** @description That holds this IP address. */
                    address?: string;
                    /** @description In which order; the newest first when left out. Deleted ones are not sorted by name. */
                    sort?: "-created_at" | "created_at" | "name" | "-name";
                    /** @description Items on a page; at most 200. */
                    limit?: number;
                    /** @description `next_page_token` of the page before, with the same filters. */
                    page_token?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Page_CloudPod"];
                    };
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/platform/provisioning/cloudpods/counts": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** How many CloudPods there are, by state, and the active ones by power; the deleted are not counted. */
        get: {
            parameters: {
                query?: {
                    /** @description The tenant. Staff who name none see the pods of all, and make new ones for the default tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["CloudPodCounts"];
                    };
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/platform/provisioning/cloudpods/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One CloudPod; also one that is deleted. */
        get: {
            parameters: {
                query?: {
                    /** @description The tenant. Staff who name none see the pods of all, and make new ones for the default tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                };
                header?: never;
                path: {
                    id: components["schemas"]["CloudPodId"];
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["CloudPod"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/platform/provisioning/cloudpods/{id}/placement": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Why a CloudPod is on its server and not on another; without the permission servers:read, in which region it is. */
        get: {
            parameters: {
                query?: {
                    /** @description The tenant. Staff who name none see the pods of all, and make new ones for the default tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                };
                header?: never;
                path: {
                    id: components["schemas"]["CloudPodId"];
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Placement"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/platform/provisioning/jobs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Jobs, page by page. */
        get: {
            parameters: {
                query?: {
                    /** @description Items on a page; at most 200. */
                    limit?: number;
                    /** @description `next_page_token` of the page before, with the same filters. */
                    page_token?: string;
                    /** @description Of this pod. */
                    cloudpod_id?: components["schemas"]["CloudPodId"];
                    /** @description On this server. */
                    server_id?: components["schemas"]["ServerId"];
                    /** @description Of this kind, e.g. `provision`. */
                    kind?: string;
                    /** @description In this state. */
                    state?: components["schemas"]["JobState"];
                    /** @description That waits for this server's agent. */
                    waits_for?: components["schemas"]["ServerId"];
                    /** @description In which order; the newest first when left out. */
                    sort?: "-created_at" | "created_at";
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Page_Job"];
                    };
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/platform/provisioning/jobs/cancel": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Cancels many jobs, each with a result of its own. */
        post: {
            parameters: {
                query?: never;
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["JobSelection"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["JobsDone"];
                    };
                };
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/platform/provisioning/jobs/history": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** How many jobs ended in each step of time, and how; at most 288 steps. */
        get: {
            parameters: {
                query?: {
                    /** @description The steps that begin at this time or later; 288 steps before `until` when left out. */
                    since?: components["schemas"]["Ms"];
                    /** @description Up to the step that this time falls into; now when left out. */
                    until?: components["schemas"]["Ms"];
                    /** @description How long each step is, in seconds: 60, 300 or 3600. */
                    step?: number;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["JobHistory"];
                    };
                };
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/platform/provisioning/jobs/retry": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Tries many jobs again, each with a result of its own: resumes stuck undos, ends waits for a next try. */
        post: {
            parameters: {
                query?: never;
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["JobSelection"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["JobsDone"];
                    };
                };
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/platform/provisioning/jobs/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One job with its steps. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    id: components["schemas"]["JobId"];
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Job"];
                    };
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/platform/provisioning/jobs/{id}/cancel": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Cancels: at once before a step; during one, the step ends or is aborted. What was done is undone. */
        post: {
            parameters: {
                query?: never;
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    id: components["schemas"]["JobId"];
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Job"];
                    };
                };
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/platform/provisioning/jobs/{id}/log": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What a job said, oldest first: each attempt of each step, and Proxmox's task log. To whom hosts are not shown only what went wrong:
         *     the rest speaks of storages, paths and numbers.
         */
        get: {
            parameters: {
                query?: {
                    /** @description Items on a page; at most 200. */
                    limit?: number;
                    /** @description `next_page_token` of the page before, with the same filters. */
                    page_token?: string;
                };
                header?: never;
                path: {
                    id: components["schemas"]["JobId"];
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Page_LogLineView"];
                    };
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/platform/provisioning/jobs/{id}/retry": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Tries again now: resumes a stuck undo, or ends the wait for the next try. */
        post: {
            parameters: {
                query?: never;
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    id: components["schemas"]["JobId"];
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Job"];
                    };
                };
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/platform/provisioning/placement-preview": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Where a CloudPod would go at present, and why not elsewhere. Nothing is reserved. */
        post: {
            parameters: {
                query?: {
                    /** @description The tenant. Staff who name none see the pods of all, and make new ones for the default tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                };
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["PlacementPreview"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["PlacementDecision"];
                    };
                };
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/platform/servers": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Servers, page by page. */
        get: {
            parameters: {
                query?: {
                    /** @description Items on a page; at most 200. */
                    limit?: number;
                    /** @description `next_page_token` of the page before, with the same filters. */
                    page_token?: string;
                    connection?: "pending" | "online" | "offline";
                    scheduling?: components["schemas"]["SchedulingState"];
                    region?: string;
                    /** @description One label, as `key=value`. */
                    label?: string;
                    /** @description Whose name begins so. */
                    name_prefix?: string;
                    sort?: "-created_at" | "created_at" | "name" | "-name";
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Page_Server"];
                    };
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        /** Registers a server. The answer holds the command to paste on the host; it is shown this once. */
        post: {
            parameters: {
                query?: never;
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["ServerCreate"];
                };
            };
            responses: {
                201: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ServerCreated"];
                    };
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/platform/servers/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One server. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Id or name */
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Server"];
                    };
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        /** Deletes a server on which no pod holds anything. Its agent's certificates are void from then on. */
        delete: {
            parameters: {
                query?: {
                    /**
                     * @description The server's name: needed for one that was declared lost while VMs of CloudPods were on it. Nothing stops them if it ever runs
                     *     again
                     */
                    confirm?: string;
                };
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    /** @description Id or name */
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description It is gone */
                204: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        options?: never;
        head?: never;
        /** Changes a server. With `If-Match`, only if it is still as it was read. */
        patch: {
            parameters: {
                query?: never;
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    /** @description Id or name */
                    id: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["ServerPatch"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Server"];
                    };
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        trace?: never;
    };
    "/api/platform/servers/{id}/declare-lost": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Declares a server lost, which frees what its VMs held there, whether or not they still run. Only while its agent is not
         *     connected. When it returns, its agent stops these VMs before it is given any order.
         */
        post: {
            parameters: {
                query?: never;
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    /** @description Id or name */
                    id: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["ServerDeclareLost"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ServerDeclaredLost"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/platform/servers/{id}/drain": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The newest drain of a server, or the filling after it: where each pod is, and what keeps it. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Id or name */
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Drain"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        /** Cancels a drain: no further move begins, and those under way end. The server stays locked. */
        delete: {
            parameters: {
                query?: never;
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    /** @description Id or name */
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Drain"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/platform/servers/{id}/drain/preview": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** What a drain would do with each pod. Nothing is written, nothing is held. */
        post: {
            parameters: {
                query?: never;
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    /** @description Id or name */
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: {
                content: {
                    "application/json": components["schemas"]["DrainPreviewRequest"] | null;
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["DrainPreview"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/platform/servers/{id}/enrolment-token": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Makes a new one-time join token; those made before and not used are void. */
        post: {
            parameters: {
                query?: never;
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    /** @description Id or name */
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                201: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["EnrolmentCommand"];
                    };
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/platform/servers/{id}/health": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** How a server was doing, in samples of at least 30 s distance, or in steps of time. */
        get: {
            parameters: {
                query?: {
                    /** @description From this time on; a day before `until` when left out. */
                    since?: components["schemas"]["Ms"];
                    /** @description Before this time; now when left out. */
                    until?: components["schemas"]["Ms"];
                    /** @description At most so many, the newest; not with `step`. */
                    limit?: number;
                    /**
                     * @description The samples of so many seconds as one: 60, 300, 3600, 10800 or 86400. At most 300 steps; left out, `since` is as many before
                     *     `until`.
                     */
                    step?: number;
                };
                header?: never;
                path: {
                    /** @description Id or name */
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ServerHealth"];
                    };
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/platform/servers/{id}/migration-endpoint": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Where hosts of other Proxmox clusters send VMs to when they go to this server. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Id or name */
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["MigrationEndpoint"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        /** Makes a server a target for VMs of other Proxmox clusters; replaces what was said before. */
        put: {
            parameters: {
                query?: never;
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    /** @description Id or name */
                    id: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["MigrationEndpointSet"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["MigrationEndpoint"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        post?: never;
        /** No VM of another cluster goes to this server any more; those under way arrive. */
        delete: {
            parameters: {
                query?: never;
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    /** @description Id or name */
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description It has none */
                204: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/platform/servers/{id}/revoke": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Voids every certificate and join token of a server and ends its session. Its agent has to enrol again with a new token. */
        post: {
            parameters: {
                query?: never;
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    /** @description Id or name */
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Nobody can speak for the server any more */
                204: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/platform/servers/{id}/status": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Opens, locks or drains a server. `locked` and `draining` keep everything new away at once; `locked` leaves what runs, a drain
         *     moves it to other servers. Asked again, a drain takes up its new deadline and tries what it had given up.
         */
        post: {
            parameters: {
                query?: never;
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    /** @description Id or name */
                    id: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["ServerStatusChange"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ServerStatus"];
                    };
                };
                /** @description Pods are being moved */
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ServerStatus"];
                    };
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/platform/servers/{id}/test-connection": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Tests the connection to a server and what is needed on it; answers within 10 s. */
        post: {
            parameters: {
                query?: never;
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    /** @description Id or name */
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ConnectionTest"];
                    };
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/platform/users": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** All accounts, page by page: with `staff=true` those of the platform's staff. */
        get: {
            parameters: {
                query?: {
                    /** @description Those of the platform's staff, or all others. */
                    staff?: boolean;
                    /** @description In this state. */
                    state?: "active" | "suspended";
                    /** @description Whose address is this one. */
                    email?: string;
                    /** @description Whose address begins so. */
                    email_prefix?: string;
                    /** @description Items on a page; at most 200. */
                    limit?: number;
                    /** @description `next_page_token` of the page before, with the same filters. */
                    page_token?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Page_Account"];
                    };
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        /** Makes an account without an invitation: a tenant's first owner, or one of the platform's staff. */
        post: {
            parameters: {
                query?: never;
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["AccountCreate"];
                };
            };
            responses: {
                201: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Account"];
                    };
                };
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/platform/users/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One account. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    id: components["schemas"]["UserId"];
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Account"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        /**
         * Makes somebody one of the platform's staff, or no longer, which ends their sign-ins and API tokens at once. With `If-Match`, only if the
         *     account is still as it was read. 409 for one's own account and for the last of the staff.
         */
        patch: {
            parameters: {
                query?: never;
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    id: components["schemas"]["UserId"];
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["AccountPatch"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Account"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                412: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        trace?: never;
    };
    "/api/platform/users/{id}/reactivate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Lets somebody in again where they belong. What ended with the suspension stays ended. */
        post: {
            parameters: {
                query?: never;
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    id: components["schemas"]["UserId"];
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Account"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/platform/users/{id}/recover": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Lets somebody in anew who has lost their second factor, their password or both: takes both away, ends their sign-ins and API tokens, and
         *     mails them a link for a new password. Where no mails are sent, the answer holds what to give them.
         */
        post: {
            parameters: {
                query?: never;
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    id: components["schemas"]["UserId"];
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["AccountRecovery"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/platform/users/{id}/suspend": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Shuts somebody out everywhere, at once: their sign-ins, API tokens and the invitations that they gave end. 409 for one's own account
         *     and for the last of the staff.
         */
        post: {
            parameters: {
                query?: never;
                header?: {
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    id: components["schemas"]["UserId"];
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Account"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/provisioning/cloudpods": {
        parameters: {
            query?: never;
            header?: {
                /** @description Whose data: for who belongs to several tenants, one of them; for staff any */
                "X-Tenant-Id"?: string;
            };
            path?: never;
            cookie?: never;
        };
        /** CloudPods, page by page. */
        get: {
            parameters: {
                query?: {
                    /** @description Of this tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                    /** @description In this state; left out: all but the deleted. */
                    state?: "requested" | "provisioning" | "active" | "suspended" | "deleting" | "deleted" | "failed";
                    /** @description On this server: its id or name. */
                    server_id?: string;
                    /** @description Of this plan: its id or name. */
                    plan_id?: string;
                    /** @description Whose name begins so. */
                    name_prefix?: string;
                    /** @description That holds this IP address. */
                    address?: string;
                    /** @description In which order; the newest first when left out. Deleted ones are not sorted by name. */
                    sort?: "-created_at" | "created_at" | "name" | "-name";
                    /** @description Items on a page; at most 200. */
                    limit?: number;
                    /** @description `next_page_token` of the page before, with the same filters. */
                    page_token?: string;
                };
                header?: {
                    /** @description Whose data: for who belongs to several tenants, one of them; for staff any */
                    "X-Tenant-Id"?: string;
                };
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Page_CloudPod"];
                    };
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/provisioning/cloudpods/counts": {
        parameters: {
            query?: never;
            header?: {
                /** @description Whose data: for who belongs to several tenants, one of them; for staff any */
                "X-Tenant-Id"?: string;
            };
            path?: never;
            cookie?: never;
        };
        /** How many CloudPods there are, by state, and the active ones by power; the deleted are not counted. */
        get: {
            parameters: {
                query?: {
                    /** @description The tenant. Staff who name none see the pods of all, and make new ones for the default tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                };
                header?: {
                    /** @description Whose data: for who belongs to several tenants, one of them; for staff any */
                    "X-Tenant-Id"?: string;
                };
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["CloudPodCounts"];
                    };
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/provisioning/cloudpods/{id}": {
        parameters: {
            query?: never;
            header?: {
                /** @description Whose data: for who belongs to several tenants, one of them; for staff any */
                "X-Tenant-Id"?: string;
            };
            path?: never;
            cookie?: never;
        };
        /** One CloudPod; also one that is deleted. */
        get: {
            parameters: {
                query?: {
                    /** @description The tenant. Staff who name none see the pods of all, and make new ones for the default tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                };
                header?: {
                    /** @description Whose data: for who belongs to several tenants, one of them; for staff any */
                    "X-Tenant-Id"?: string;
                };
                path: {
                    id: components["schemas"]["CloudPodId"];
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["CloudPod"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/provisioning/cloudpods/{id}/placement": {
        parameters: {
            query?: never;
            header?: {
                /** @description Whose data: for who belongs to several tenants, one of them; for staff any */
                "X-Tenant-Id"?: string;
            };
            path?: never;
            cookie?: never;
        };
        /** Why a CloudPod is on its server and not on another; without the permission servers:read, in which region it is. */
        get: {
            parameters: {
                query?: {
                    /** @description The tenant. Staff who name none see the pods of all, and make new ones for the default tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                };
                header?: {
                    /** @description Whose data: for who belongs to several tenants, one of them; for staff any */
                    "X-Tenant-Id"?: string;
                };
                path: {
                    id: components["schemas"]["CloudPodId"];
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Placement"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/provisioning/iso-storages": {
        parameters: {
            query?: never;
            header?: {
                /** @description Whose data: for who belongs to several tenants, one of them; for staff any */
                "X-Tenant-Id"?: string;
            };
            path?: never;
            cookie?: never;
        };
        /** The storages whose ISO images everybody may put into their CloudPods' drives, by name; the configuration's `[media] iso_storages`. */
        get: {
            parameters: {
                query?: {
                    /** @description Items on a page; at most 200. */
                    limit?: number;
                    /** @description `next_page_token` of the page before, with the same filters. */
                    page_token?: string;
                };
                header?: {
                    /** @description Whose data: for who belongs to several tenants, one of them; for staff any */
                    "X-Tenant-Id"?: string;
                };
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Page_IsoStorage"];
                    };
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/provisioning/jobs": {
        parameters: {
            query?: never;
            header?: {
                /** @description Whose data: for who belongs to several tenants, one of them; for staff any */
                "X-Tenant-Id"?: string;
            };
            path?: never;
            cookie?: never;
        };
        /** Jobs, page by page. */
        get: {
            parameters: {
                query?: {
                    /** @description Items on a page; at most 200. */
                    limit?: number;
                    /** @description `next_page_token` of the page before, with the same filters. */
                    page_token?: string;
                    /** @description Of this pod. */
                    cloudpod_id?: components["schemas"]["CloudPodId"];
                    /** @description On this server. */
                    server_id?: components["schemas"]["ServerId"];
                    /** @description Of this kind, e.g. `provision`. */
                    kind?: string;
                    /** @description In this state. */
                    state?: components["schemas"]["JobState"];
                    /** @description That waits for this server's agent. */
                    waits_for?: components["schemas"]["ServerId"];
                    /** @description In which order; the newest first when left out. */
                    sort?: "-created_at" | "created_at";
                };
                header?: {
                    /** @description Whose data: for who belongs to several tenants, one of them; for staff any */
                    "X-Tenant-Id"?: string;
                };
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Page_Job"];
                    };
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/provisioning/jobs/cancel": {
        parameters: {
            query?: never;
            header?: {
                /** @description Whose data: for who belongs to several tenants, one of them; for staff any */
                "X-Tenant-Id"?: string;
            };
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Cancels many jobs, each with a result of its own. */
        post: {
            parameters: {
                query?: never;
                header?: {
                    /** @description Whose data: for who belongs to several tenants, one of them; for staff any */
                    "X-Tenant-Id"?: string;
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["JobSelection"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["JobsDone"];
                    };
                };
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/provisioning/jobs/history": {
        parameters: {
            query?: never;
            header?: {
                /** @description Whose data: for who belongs to several tenants, one of them; for staff any */
                "X-Tenant-Id"?: string;
            };
            path?: never;
            cookie?: never;
        };
        /** How many jobs ended in each step of time, and how; at most 288 steps. */
        get: {
            parameters: {
                query?: {
                    /** @description The steps that begin at this time or later; 288 steps before `until` when left out. */
                    since?: components["schemas"]["Ms"];
                    /** @description Up to the step that this time falls into; now when left out. */
                    until?: components["schemas"]["Ms"];
                    /** @description How long each step is, in seconds: 60, 300 or 3600. */
                    step?: number;
                };
                header?: {
                    /** @description Whose data: for who belongs to several tenants, one of them; for staff any */
                    "X-Tenant-Id"?: string;
                };
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["JobHistory"];
                    };
                };
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/provisioning/jobs/retry": {
        parameters: {
            query?: never;
            header?: {
                /** @description Whose data: for who belongs to several tenants, one of them; for staff any */
                "X-Tenant-Id"?: string;
            };
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Tries many jobs again, each with a result of its own: resumes stuck undos, ends waits for a next try. */
        post: {
            parameters: {
                query?: never;
                header?: {
                    /** @description Whose data: for who belongs to several tenants, one of them; for staff any */
                    "X-Tenant-Id"?: string;
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["JobSelection"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["JobsDone"];
                    };
                };
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/provisioning/jobs/{id}": {
        parameters: {
            query?: never;
            header?: {
                /** @description Whose data: for who belongs to several tenants, one of them; for staff any */
                "X-Tenant-Id"?: string;
            };
            path?: never;
            cookie?: never;
        };
        /** One job with its steps. */
        get: {
            parameters: {
                query?: never;
                header?: {
                    /** @description Whose data: for who belongs to several tenants, one of them; for staff any */
                    "X-Tenant-Id"?: string;
                };
                path: {
                    id: components["schemas"]["JobId"];
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Job"];
                    };
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/provisioning/jobs/{id}/cancel": {
        parameters: {
            query?: never;
            header?: {
                /** @description Whose data: for who belongs to several tenants, one of them; for staff any */
                "X-Tenant-Id"?: string;
            };
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Cancels: at once before a step; during one, the step ends or is aborted. What was done is undone. */
        post: {
            parameters: {
                query?: never;
                header?: {
                    /** @description Whose data: for who belongs to several tenants, one of them; for staff any */
                    "X-Tenant-Id"?: string;
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    id: components["schemas"]["JobId"];
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Job"];
                    };
                };
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/provisioning/jobs/{id}/log": {
        parameters: {
            query?: never;
            header?: {
                /** @description Whose data: for who belongs to several tenants, one of them; for staff any */
                "X-Tenant-Id"?: string;
            };
            path?: never;
            cookie?: never;
        };
        /**
         * What a job said, oldest first: each attempt of each step, and Proxmox's task log. To whom hosts are not shown only what went wrong:
         *     the rest speaks of storages, paths and numbers.
         */
        get: {
            parameters: {
                query?: {
                    /** @description Items on a page; at most 200. */
                    limit?: number;
                    /** @description `next_page_token` of the page before, with the same filters. */
                    page_token?: string;
                };
                header?: {
                    /** @description Whose data: for who belongs to several tenants, one of them; for staff any */
                    "X-Tenant-Id"?: string;
                };
                path: {
                    id: components["schemas"]["JobId"];
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Page_LogLineView"];
                    };
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/provisioning/jobs/{id}/retry": {
        parameters: {
            query?: never;
            header?: {
                /** @description Whose data: for who belongs to several tenants, one of them; for staff any */
                "X-Tenant-Id"?: string;
            };
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Tries again now: resumes a stuck undo, or ends the wait for the next try. */
        post: {
            parameters: {
                query?: never;
                header?: {
                    /** @description Whose data: for who belongs to several tenants, one of them; for staff any */
                    "X-Tenant-Id"?: string;
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    id: components["schemas"]["JobId"];
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Job"];
                    };
                };
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/provisioning/placement-preview": {
        parameters: {
            query?: never;
            header?: {
                /** @description Whose data: for who belongs to several tenants, one of them; for staff any */
                "X-Tenant-Id"?: string;
            };
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Whether a CloudPod would fit at present, within the tenant's quotas and on the platform, and in which region. Nothing is reserved. */
        post: {
            parameters: {
                query?: {
                    /** @description The tenant. Staff who name none see the pods of all, and make new ones for the default tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                };
                header?: {
                    /** @description Whose data: for who belongs to several tenants, one of them; for staff any */
                    "X-Tenant-Id"?: string;
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["PlacementPreview"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["PlacementFit"];
                    };
                };
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/provisioning/regions": {
        parameters: {
            query?: never;
            header?: {
                /** @description Whose data: for who belongs to several tenants, one of them; for staff any */
                "X-Tenant-Id"?: string;
            };
            path?: never;
            cookie?: never;
        };
        /** The regions that a CloudPod can be asked for in, by name. */
        get: {
            parameters: {
                query?: {
                    /** @description Items on a page; at most 200. */
                    limit?: number;
                    /** @description `next_page_token` of the page before, with the same filters. */
                    page_token?: string;
                };
                header?: {
                    /** @description Whose data: for who belongs to several tenants, one of them; for staff any */
                    "X-Tenant-Id"?: string;
                };
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Page_Region"];
                    };
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/users": {
        parameters: {
            query?: never;
            header?: {
                /** @description Whose data: for who belongs to several tenants, one of them; for staff any */
                "X-Tenant-Id"?: string;
            };
            path?: never;
            cookie?: never;
        };
        /** A tenant's people, page by page. */
        get: {
            parameters: {
                query?: {
                    /** @description Of this tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                    /** @description Of this role. */
                    role?: "MEMBER" | "BILLING" | "ADMIN" | "OWNER";
                    /** @description In this state. */
                    state?: "active" | "suspended";
                    /** @description Whose address begins so. */
                    email_prefix?: string;
                    /** @description Whose name begins so. */
                    name_prefix?: string;
                    /** @description In which order; by when their accounts were made when left out. */
                    sort?: "created_at" | "-created_at" | "email" | "-email";
                    /** @description Items on a page; at most 200. */
                    limit?: number;
                    /** @description `next_page_token` of the page before, with the same filters. */
                    page_token?: string;
                };
                header?: {
                    /** @description Whose data: for who belongs to several tenants, one of them; for staff any */
                    "X-Tenant-Id"?: string;
                };
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Page_User"];
                    };
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/users/invitations": {
        parameters: {
            query?: never;
            header?: {
                /** @description Whose data: for who belongs to several tenants, one of them; for staff any */
                "X-Tenant-Id"?: string;
            };
            path?: never;
            cookie?: never;
        };
        /** Open invitations, page by page. */
        get: {
            parameters: {
                query?: {
                    /** @description Of this tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                    /** @description Items on a page; at most 200. */
                    limit?: number;
                    /** @description `next_page_token` of the page before, with the same filters. */
                    page_token?: string;
                };
                header?: {
                    /** @description Whose data: for who belongs to several tenants, one of them; for staff any */
                    "X-Tenant-Id"?: string;
                };
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Page_Invitation"];
                    };
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/users/invitations/{id}": {
        parameters: {
            query?: never;
            header?: {
                /** @description Whose data: for who belongs to several tenants, one of them; for staff any */
                "X-Tenant-Id"?: string;
            };
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Takes an invitation back. */
        delete: {
            parameters: {
                query?: {
                    /** @description Of this tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                };
                header?: {
                    /** @description Whose data: for who belongs to several tenants, one of them; for staff any */
                    "X-Tenant-Id"?: string;
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    id: components["schemas"]["InvitationId"];
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description It can no longer be accepted */
                204: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/users/invite": {
        parameters: {
            query?: never;
            header?: {
                /** @description Whose data: for who belongs to several tenants, one of them; for staff any */
                "X-Tenant-Id"?: string;
            };
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Invites somebody to a tenant, by mail where mails are sent; otherwise the answer holds what to give them. */
        post: {
            parameters: {
                query?: {
                    /** @description Of this tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                };
                header?: {
                    /** @description Whose data: for who belongs to several tenants, one of them; for staff any */
                    "X-Tenant-Id"?: string;
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["InvitationCreate"];
                };
            };
            responses: {
                201: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["InvitationCreated"];
                    };
                };
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/users/invite/accept": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Accepts an invitation, by its secret: makes the account, or adds the tenant to the one that has the address, which has to have
         *     signed in (401 otherwise, 403 for another account).
         */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["InvitationAccept"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["User"];
                    };
                };
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/users/{id}": {
        parameters: {
            query?: never;
            header?: {
                /** @description Whose data: for who belongs to several tenants, one of them; for staff any */
                "X-Tenant-Id"?: string;
            };
            path?: never;
            cookie?: never;
        };
        /** One of a tenant's people. */
        get: {
            parameters: {
                query?: {
                    /** @description Of this tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                };
                header?: {
                    /** @description Whose data: for who belongs to several tenants, one of them; for staff any */
                    "X-Tenant-Id"?: string;
                };
                path: {
                    id: components["schemas"]["UserId"];
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["User"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/users/{id}/reactivate": {
        parameters: {
            query?: never;
            header?: {
                /** @description Whose data: for who belongs to several tenants, one of them; for staff any */
                "X-Tenant-Id"?: string;
            };
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Lets somebody in again. Tokens and sign-ins that ended stay ended. */
        post: {
            parameters: {
                query?: {
                    /** @description Of this tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                };
                header?: {
                    /** @description Whose data: for who belongs to several tenants, one of them; for staff any */
                    "X-Tenant-Id"?: string;
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    id: components["schemas"]["UserId"];
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["User"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/users/{id}/role": {
        parameters: {
            query?: never;
            header?: {
                /** @description Whose data: for who belongs to several tenants, one of them; for staff any */
                "X-Tenant-Id"?: string;
            };
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        /** Makes somebody something else in a tenant. With `If-Match`, only if they are still as they were read. */
        patch: {
            parameters: {
                query?: {
                    /** @description Of this tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                };
                header?: {
                    /** @description Whose data: for who belongs to several tenants, one of them; for staff any */
                    "X-Tenant-Id"?: string;
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    id: components["schemas"]["UserId"];
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["UserRolePatch"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["User"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                412: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        trace?: never;
    };
    "/api/users/{id}/sessions": {
        parameters: {
            query?: never;
            header?: {
                /** @description Whose data: for who belongs to several tenants, one of them; for staff any */
                "X-Tenant-Id"?: string;
            };
            path?: never;
            cookie?: never;
        };
        /** Somebody's sign-ins that stand, page by page. For a tenant's people: of somebody who belongs to that tenant alone. */
        get: {
            parameters: {
                query?: {
                    /** @description Of this tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                    /** @description Items on a page; at most 200. */
                    limit?: number;
                    /** @description `next_page_token` of the page before, with the same filters. */
                    page_token?: string;
                };
                header?: {
                    /** @description Whose data: for who belongs to several tenants, one of them; for staff any */
                    "X-Tenant-Id"?: string;
                };
                path: {
                    id: components["schemas"]["UserId"];
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Page_Session"];
                    };
                };
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/users/{id}/sessions/{session_id}": {
        parameters: {
            query?: never;
            header?: {
                /** @description Whose data: for who belongs to several tenants, one of them; for staff any */
                "X-Tenant-Id"?: string;
            };
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Ends one of somebody's sign-ins: from this moment on its tokens are no good. */
        delete: {
            parameters: {
                query?: {
                    /** @description Of this tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                };
                header?: {
                    /** @description Whose data: for who belongs to several tenants, one of them; for staff any */
                    "X-Tenant-Id"?: string;
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    id: components["schemas"]["UserId"];
                    session_id: components["schemas"]["SessionId"];
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description It has ended */
                204: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/users/{id}/suspend": {
        parameters: {
            query?: never;
            header?: {
                /** @description Whose data: for who belongs to several tenants, one of them; for staff any */
                "X-Tenant-Id"?: string;
            };
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Shuts somebody out of a tenant at once. Their API tokens for it end, and all their sign-ins if no other tenant lets them in. */
        post: {
            parameters: {
                query?: {
                    /** @description Of this tenant. */
                    tenant_id?: components["schemas"]["TenantId"];
                };
                header?: {
                    /** @description Whose data: for who belongs to several tenants, one of them; for staff any */
                    "X-Tenant-Id"?: string;
                    /** @description Repeated with the same key and body, the request has one effect and gets the first answer */
                    "Idempotency-Key"?: string;
                };
                path: {
                    id: components["schemas"]["UserId"];
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["User"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/healthz": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Says that the process runs. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Health"];
                    };
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/metrics": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What it counts, as Prometheus reads it. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "text/plain": string;
                    };
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/readyz": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Says whether the process can do its work: 200, or 503 with what is wrong. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Readiness"];
                    };
                };
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Readiness"];
                    };
                };
                /** @description What is wrong, as a problem document */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /** @description An account, whatever its person belongs to. */
        Account: {
            created_at: components["schemas"]["Ms"];
            email: string;
            /** @description Whether the address has been shown to be theirs: staff made the account, or a mailed link was used. */
            email_proven: boolean;
            id: components["schemas"]["UserId"];
            last_sign_in_at?: components["schemas"]["Ms"] | null;
            name: string;
            /** @description Whether they are of the platform's staff, who may do everything. */
            staff: boolean;
            state: components["schemas"]["UserState"];
            suspended_at?: components["schemas"]["Ms"] | null;
            /** @description Whether a second factor is asked for. */
            totp_enabled: boolean;
            /**
             * Format: int64
             * @description As in the header `ETag`.
             */
            version: number;
        };
        /** @description An account to be made without an invitation. */
        AccountCreate: {
            /** @example anna@example.net */
            email: string;
            name: string;
            /** @description Left out: they choose one by a link that is mailed to them ("password forgotten"), or sign in by an OIDC provider. */
            password?: string | null;
            role?: components["schemas"]["Role"] | null;
            /** @description Whether they are to be of the platform's staff. */
            staff?: boolean;
            tenant_id?: components["schemas"]["TenantId"] | null;
        };
        /** @description What is to become of an account. */
        AccountPatch: {
            /** @description Whether they are to be of the platform's staff. */
            staff: boolean;
        };
        /** @description How somebody comes in again. */
        AccountRecovery: {
            account: components["schemas"]["Account"];
            /** @description Until when the link is good. */
            expires_at: components["schemas"]["Ms"];
            /**
             * @description What stands after `#` in the link to the console's page `/reset-password`, shown this once: give it to them. Null: the link was
             *     sent to them by mail.
             */
            secret?: string | null;
        };
        /** @description The certificate of a server's agent, as the books hold it. */
        AgentCertificate: {
            /** @description When it was issued. */
            issued_at: components["schemas"]["Ms"];
            /** @description Until when it is good; the agent has it renewed long before. */
            not_after: components["schemas"]["Ms"];
            /** @description In hexadecimal. */
            serial: string;
        };
        /** @description A token, without its secret. */
        ApiToken: {
            created_at: components["schemas"]["Ms"];
            expires_at: components["schemas"]["Ms"];
            id: components["schemas"]["TokenId"];
            last_used_at?: components["schemas"]["Ms"] | null;
            name: string;
            /** @description What it may do, as far as its user may at that moment. */
            permissions: components["schemas"]["Permission"][];
            tenant_id?: components["schemas"]["TenantId"] | null;
            tenant_name?: string | null;
            /** @description Their address. */
            user_email: string;
            /** @description Whose it is. */
            user_id: components["schemas"]["UserId"];
        };
        /** @description A token to be made. */
        ApiTokenCreate: {
            /**
             * Format: int32
             * @description 90 when left out, at most 365; for staff 3650.
             */
            expires_in_days?: number | null;
            /** @example nightly backups */
            name: string;
            /** @description Never more than the caller's own. */
            permissions: components["schemas"]["Permission"][];
            tenant_id?: components["schemas"]["TenantId"] | null;
        };
        /** @description A token that was made. */
        ApiTokenCreated: {
            /** @description To be sent as `Authorization: Bearer …`. It is shown this once. */
            secret: string;
            token: components["schemas"]["ApiToken"];
        };
        /** @description A place where something does not fit. */
        AuditBreak: {
            /** @description In words. */
            detail: string;
            /** @description What does not fit. */
            kind: components["schemas"]["AuditBreakKind"];
            record_id?: components["schemas"]["AuditId"] | null;
            /**
             * Format: int64
             * @description At which link.
             */
            seq?: number | null;
        };
        /**
         * @description What does not fit.
         * @enum {string}
         */
        AuditBreakKind: "altered" | "missing" | "gap" | "truncated" | "unknown" | "rewritten";
        /**
         * Format: uuid
         * @description An audit record.
         */
        AuditId: string;
        /** @description A part of the proof that the audit's chain holds. */
        AuditProof: {
            /** @description What does not fit, and where. */
            breaks: components["schemas"]["AuditBreak"][];
            /**
             * Format: int64
             * @description Links walked so far, from the start.
             */
            checked: number;
            /** @description All of it was looked at; otherwise ask for the rest with `next`. */
            complete: boolean;
            /**
             * Format: int64
             * @description How many links there are now.
             */
            count: number;
            /** @description The hash of the last one. Note it elsewhere with `count`: who rewrites the whole chain cannot rewrite that. */
            head: string;
            next?: components["schemas"]["AuditProofNext"] | null;
            /** @description Nothing was found in this part that does not fit. */
            ok: boolean;
            /**
             * Format: int64
             * @description Records that are not sealed yet.
             */
            unsealed: number;
            unsealed_since?: components["schemas"]["Ms"] | null;
        };
        AuditProofNext: {
            after_record?: components["schemas"]["AuditId"] | null;
            /** Format: int64 */
            after_seq: number;
        };
        /** @description A record. Without `hash`, with sorted names and without spaces it is what the hash was made of, after the hash before. */
        AuditRecord: {
            /** @description `noun.verb`, e.g. `server.created`. */
            action: string;
            /** @description Who did it: `user:<id>`, `token:<id>`, `agent:<id>`, `system:<part>`. */
            actor: string;
            /** @description From which address it was asked for. */
            address?: string | null;
            /** @description When. */
            created_at: components["schemas"]["Ms"];
            /** @description What more there is to say, such as `before` and `after`. */
            detail: Record<string, never>;
            /** @description SHA-256 of the hash before and this record, as 64 hexadecimal digits; null: it is not sealed yet. */
            hash?: string | null;
            /** @description Its id. */
            id: components["schemas"]["AuditId"];
            /** @description In which request, as its answer and the log have it. */
            request_id?: string | null;
            /**
             * Format: int64
             * @description Its number in the chain; null: it is not sealed yet.
             */
            seq?: number | null;
            /** @description Its id. */
            target_id: string;
            /** @description The noun. */
            target_kind: string;
            tenant_id?: components["schemas"]["TenantId"] | null;
        };
        /** @description A record, and what those are called whom it names by their ids. The names are of now and no part of what was hashed. */
        AuditRecordNamed: components["schemas"]["AuditRecord"] & {
            /**
             * @description A person's address, a token's owner and name, an agent's server. Null: a part of the control plane; somebody who is no
             *     longer there; to a tenant's people, the platform's staff and servers.
             */
            actor_name?: string | null;
            /** @description Null: the platform's alone. */
            tenant_name?: string | null;
        };
        /** @description A backup of a CloudPod. */
        Backup: {
            /** @description Of which CloudPod; it may be deleted. */
            cloudpod: components["schemas"]["Named_CloudPodId"];
            created_at: components["schemas"]["Ms"];
            id: components["schemas"]["BackupId"];
            kept_until?: components["schemas"]["Ms"] | null;
            made_at?: components["schemas"]["Ms"] | null;
            mode: components["schemas"]["BackupMode"];
            note: string;
            /** @description Never pruned, and not deleted before this is taken away. */
            protected: boolean;
            /** @description Made by the CloudPod's policy. */
            scheduled: boolean;
            /** @description Whose agent made it. */
            server: components["schemas"]["Named_ServerId"];
            /**
             * Format: int64
             * @description Null while it is being made.
             */
            size_bytes?: number | null;
            /** @description creating, ready or deleting */
            state: components["schemas"]["BackupState"];
            storage: string;
            tenant_id: components["schemas"]["TenantId"];
            /** @description Proxmox's name of it; null while it is being made. */
            volid?: string | null;
        };
        /** @description A backup to be made. */
        BackupCreate: {
            /**
             * Format: int32
             * @description Pruned after so many days; left out: as the CloudPod's policy says.
             */
            keep_days?: number | null;
            mode?: components["schemas"]["BackupMode"] | null;
            /** @description For people. */
            note?: string;
            /** @description Never pruned, and not deleted before this is taken away. */
            protected?: boolean;
            /**
             * @description Where to, which takes the permission servers:read; left out: the server's backup storage.
             * @example backups
             */
            storage?: string | null;
        };
        /**
         * Format: uuid
         * @description A backup of a pod.
         */
        BackupId: string;
        /**
         * @description How consistent a backup is, against how much the guest notices.
         * @enum {string}
         */
        BackupMode: "snapshot" | "suspend" | "stop";
        /** @description Whether and how long a backup is kept; what is left out stays. */
        BackupPatch: {
            kept_until?: components["schemas"]["Ms"] | null;
            protected?: boolean | null;
        };
        /** @description When backups of a CloudPod are made by themselves, and how long they are kept. What any of the two rules keeps is kept. */
        BackupPolicy: {
            /**
             * Format: int32
             * @description Null: none are made by themselves.
             */
            every_hours?: number | null;
            /**
             * Format: int32
             * @description Those younger than so many days are kept.
             */
            keep_days?: number | null;
            /**
             * Format: int32
             * @description The newest so many are kept.
             */
            keep_last?: number | null;
            mode: components["schemas"]["BackupMode"];
            next_at?: components["schemas"]["Ms"] | null;
            /** @description Null: the server's backup storage. */
            storage?: string | null;
            /**
             * Format: int64
             * @description As in the header `ETag`.
             */
            version: number;
        };
        /** @description A change of a backup policy; what is left out stays, null takes away. */
        BackupPolicyPatch: {
            /** Format: int32 */
            every_hours?: number | null;
            /** Format: int32 */
            keep_days?: number | null;
            /** Format: int32 */
            keep_last?: number | null;
            mode?: components["schemas"]["BackupMode"] | null;
            /** @description Takes the permission servers:read. */
            storage?: string | null;
        };
        /** @description A CloudPod to be made of a backup. What is left out is as the CloudPod is, or was, that the backup is of. */
        BackupRecreate: {
            /** @description The image's id or name, for its record: its disk is the backup's. */
            image?: string | null;
            /** @description Ids or names of the pools that give it an address each; left out: as the region's pools allow. */
            ip_pools?: string[];
            /**
             * @description A DNS label; no two live pods of a tenant have the same.
             * @example web-1
             */
            name: string;
            /** @description Where it may go; left out: anywhere where the backup is seen. */
            placement?: components["schemas"]["CloudPodPlacement"];
            /**
             * @description The plan's id or name, for another size; its disk must be at least as large as that CloudPod's.
             * @example small
             */
            plan?: string | null;
            /** @description OpenSSH public keys for the user; at most 32. */
            ssh_keys?: string[] | null;
        };
        /** @description Where a CloudPod is restored. */
        BackupRestore: {
            /**
             * @description For a CloudPod whose host was declared lost: only on this server, by id or name, which takes the permission servers:read.
             *     Left out: wherever there is room.
             */
            server?: string | null;
        };
        /**
         * @description The life of a backup. See the diagram above.
         * @enum {string}
         */
        BackupState: "creating" | "ready" | "deleting";
        /** @description What is reserved and may be, of each kind. */
        CapacityRoom: {
            /** @description The storages that are offered, in GiB. */
            disk_gib: components["schemas"]["CapacityShare"];
            /** @description Memory in MiB. */
            memory_mib: components["schemas"]["CapacityShare"];
            /** @description Virtual CPUs: threads times overcommit. */
            vcpu: components["schemas"]["CapacityShare"];
        };
        /** @description What is reserved, and what may be. */
        CapacityShare: {
            /**
             * Format: int64
             * @description What pods hold.
             */
            reserved: number;
            /**
             * Format: int64
             * @description What may be reserved in all; 0: not known yet.
             */
            total: number;
        };
        /** @description What may be reserved in all. */
        CapacityView: {
            /** Format: int64 */
            memory_mib: number;
            /** Format: int64 */
            vcpu: number;
        };
        /** @description One line of a connection test. */
        Check: {
            /** @description What to do; empty when all is well. */
            advice: string;
            /** @description What was found. */
            message: string;
            /** @description Stable, for programs: `session`, `proxmox`, `storage`, …. */
            name: string;
            /** @description How it went. */
            state: components["schemas"]["CheckState"];
            /**
             * Format: int64
             * @description Milliseconds that it took.
             */
            took_ms: number;
        };
        /**
         * @description How a check went.
         * @enum {string}
         */
        CheckState: "ok" | "warn" | "fail";
        /** @description A CloudPod. */
        CloudPod: components["schemas"]["ConditionView"] & {
            addresses: components["schemas"]["CloudPodAddress"][];
            created_at: components["schemas"]["Ms"];
            deleted_at?: components["schemas"]["Ms"] | null;
            desired_power: components["schemas"]["DesiredPower"];
            /** Format: int64 */
            disk_gib: number;
            /** @description Why it failed; null unless its state is failed. */
            failure?: string | null;
            id: components["schemas"]["CloudPodId"];
            image: components["schemas"]["Named_ImageId"];
            /** Format: int64 */
            memory_mib: number;
            moving_to?: components["schemas"]["Named_ServerId"] | null;
            name: string;
            observed_at?: components["schemas"]["Ms"] | null;
            observed_power: components["schemas"]["Power"];
            placement: components["schemas"]["CloudPodPlacementWish"];
            plan: components["schemas"]["Named_PlanId"];
            server?: components["schemas"]["Named_ServerId"] | null;
            ssh_keys: string[];
            stale_since?: components["schemas"]["Ms"] | null;
            /** @description Whether its VM is to start with its host, while it is not suspended. */
            start_on_boot: boolean;
            /** @description requested, provisioning, active, suspended, deleting, deleted or failed */
            state: string;
            storage?: string | null;
            tenant_id: components["schemas"]["TenantId"];
            tenant_name: string;
            updated_at: components["schemas"]["Ms"];
            /** @description The user that the SSH keys are for. */
            user: string;
            /** Format: int32 */
            vcpu: number;
            /**
             * Format: int64
             * @description The same as in the ETag.
             */
            version: number;
            /** Format: int32 */
            vmid?: number | null;
        };
        /** @description An address that a pod holds. */
        CloudPodAddress: {
            address: string;
            /**
             * Format: int32
             * @description 4 or 6
             */
            family: number;
            gateway: string;
            pool: components["schemas"]["Named_IpPoolId"];
            /** Format: int32 */
            prefix_length: number;
        };
        /** @description A VM that is to become a pod. */
        CloudPodAdopt: {
            /** @description Addresses that it uses, to be held for it in the pools that they are of. */
            addresses?: string[];
            /**
             * @description What it was made from, or the nearest to it: the image's id or name.
             * @example debian-13
             */
            image: string;
            /**
             * @description A DNS label; no two live pods of a tenant have the same.
             * @example web-1
             */
            name: string;
            /**
             * @description What it is sold as: the plan's id or name. Its size stays what it is.
             * @example small
             */
            plan: string;
            /**
             * @description On which server it is: its id or name.
             * @example pve1
             */
            server: string;
            /** @description The storage that its disk is on; left out: the server's only one for pods. */
            storage?: string | null;
            /**
             * Format: int32
             * @description Its number there.
             */
            vmid: number;
        };
        /** @description A pod, and the job that works on it. */
        CloudPodAndJob: {
            cloudpod: components["schemas"]["CloudPod"];
            job: components["schemas"]["Job"];
        };
        /** @description How many pods there are; the deleted are not counted. */
        CloudPodCounts: {
            /** @description The active ones by what their hosts last said of their power. */
            active_by_power: components["schemas"]["CloudPodsByPower"];
            /** @description By where they are in their lives; each is in one of them. */
            by_state: components["schemas"]["CloudPodsByState"];
            /**
             * Format: int64
             * @description All but the deleted.
             */
            total: number;
        };
        /** @description A pod to be made. */
        CloudPodCreate: {
            /**
             * @description The image's id or name.
             * @example debian-13
             */
            image: string;
            /**
             * @description Ids or names of the pools that give it an address each; left out: as the region's public pools allow. Private ones take the
             *     permission servers:read.
             */
            ip_pools?: string[];
            /**
             * @description A DNS label; no two live pods of a tenant have the same.
             * @example web-1
             */
            name: string;
            /** @description Where it may go; left out: anywhere. */
            placement?: components["schemas"]["CloudPodPlacement"];
            /**
             * @description The plan's id or name.
             * @example small
             */
            plan: string;
            /** @description OpenSSH public keys for the user; at most 32. */
            ssh_keys?: string[];
            /**
             * @description The user that cloud-init makes; left out: the image's.
             * @example debian
             */
            user?: string | null;
        };
        /**
         * Format: uuid
         * @description A customer's VM.
         */
        CloudPodId: string;
        /** @description What is in a pod's CD drive. */
        CloudPodMedia: {
            /** @description Whether it is booted from before the disk. */
            boot_from_cd: boolean;
            /** @description Such as `local:iso/debian.iso`; null: no CD. */
            iso?: string | null;
        };
        /** @description How a pod is to be moved. */
        CloudPodMigrate: {
            /**
             * @description Whether its guest may be asked to shut down if it cannot be moved while it runs. It is started again afterwards.
             * @default false
             */
            allow_shutdown?: boolean;
            /** @default null */
            method?: components["schemas"]["Method"] | null;
            /**
             * @description Id or name of the server that it goes to; left out: wherever it fits best.
             * @default null
             */
            server?: string | null;
            /**
             * Format: int64
             * @description How long the guest gets for that, in seconds.
             * @default 180
             */
            shutdown_s?: number;
            /**
             * @description The storage of its disk there; left out: the same if the servers share it, otherwise the one that fits best.
             *     Another one than that which they share is refused: within a cluster such a disk stays where it is.
             * @default null
             */
            storage?: string | null;
            /**
             * @description Whether disks on a storage of its host alone may be copied.
             * @default true
             */
            with_local_disks?: boolean;
        };
        /** @description A pod, the job that sets the password, and the password, if it was made up. */
        CloudPodPasswordAndJob: components["schemas"]["CloudPodAndJob"] & {
            /** @description Shown here and nowhere else; null when it was given. */
            password?: string | null;
            user: string;
        };
        /** @description What may be changed of a pod. */
        CloudPodPatch: {
            /** @description A new name for its record; the VM keeps the name that it was made with. */
            name?: string | null;
            /**
             * @description The only server that it may be on, by id or name, which holds for drains too; null: any. It is moved nowhere by this.
             *     Takes the permission servers:read.
             */
            server?: string | null;
        };
        /** @description Where a pod may go. */
        CloudPodPlacement: {
            /** @description Never on a server that holds another pod of the tenant; nor does another one of it come there later. */
            anti_affinity?: boolean;
            /** @description Only on servers that bear all of these labels. */
            labels?: {
                [key: string]: string;
            };
            /** @description Only in this region. */
            region?: string | null;
            /** @description Only on this server: its id or name. Takes the permission servers:read. */
            server?: string | null;
            /** @description Only on a storage of this name. Takes the permission servers:read. */
            storage?: string | null;
        };
        /** @description Where its owner wanted it. */
        CloudPodPlacementWish: {
            anti_affinity: boolean;
            ip_pools: string[];
            labels: {
                [key: string]: string;
            };
            region?: string | null;
            server?: components["schemas"]["ServerId"] | null;
            storage?: string | null;
        };
        /** @description How a guest is asked to restart. */
        CloudPodReboot: {
            /**
             * Format: int64
             * @description How long the guest gets, in seconds.
             * @default 180
             */
            timeout_s?: number | null;
        };
        /** @description What a pod is made of anew. */
        CloudPodRebuild: {
            /**
             * @description The image's id or name.
             * @example debian-13
             */
            image: string;
            /** @description OpenSSH public keys for the user; left out: as before. */
            ssh_keys?: string[] | null;
            /** @description The user that cloud-init makes; left out: as before or, where that was the image's own, the new image's. */
            user?: string | null;
        };
        /** @description With which CD a pod is rescued. */
        CloudPodRescue: {
            /**
             * @description Without the permission servers:read, of a storage that `[media] iso_storages` names.
             * @example local:iso/rescue.iso
             */
            iso: string;
        };
        /** @description A new password. It is not printable on purpose. */
        CloudPodResetPassword: {
            /** @description Left out: one is made up, and told in the answer, once. */
            password?: string | null;
            /** @description Where no guest agent answers, let cloud-init set it and restart the pod. */
            reboot?: boolean;
            /** @description Whose; left out: the user's that cloud-init made. */
            user?: string | null;
        };
        /** @description A new size: that of a plan or, with the permission cloudpods:manage, single figures. */
        CloudPodResize: {
            /**
             * Format: int64
             * @description Disks only grow.
             */
            disk_gib?: number | null;
            /** Format: int64 */
            memory_mib?: number | null;
            /**
             * @description The plan's id or name.
             * @example large
             */
            plan?: string | null;
            /** @description Restart it, if the new size needs that; otherwise `restart_needed` says so. */
            restart?: boolean;
            /** Format: int32 */
            vcpu?: number | null;
        };
        /**
         * @description What was changed and takes effect only once a pod's VM is stopped and started.
         * @enum {string}
         */
        CloudPodRestartCause: "size" | "ssh_keys" | "password" | "media" | "network";
        /** @description What is to be in the CD drive. */
        CloudPodSetMedia: {
            /** @description Boot from it before the disk, from the next start on. */
            boot_from_cd?: boolean;
            /**
             * @description Null or left out: no CD. Without the permission servers:read, of a storage that `[media] iso_storages` names.
             * @example local:iso/debian-13.iso
             */
            iso?: string | null;
        };
        /** @description How a guest is asked to shut down. */
        CloudPodShutdown: {
            /** @description Cut the power if the guest is not down by then. */
            force?: boolean;
            /**
             * Format: int64
             * @description How long the guest gets, in seconds.
             * @default 180
             */
            timeout_s?: number | null;
        };
        /** @description New SSH keys. */
        CloudPodSshKeys: {
            /** @description Restart the pod, so that they count at once. */
            reboot?: boolean;
            /** @description OpenSSH public keys for the user, instead of those before; at most 32. */
            ssh_keys: string[];
        };
        /** @description Why a pod is suspended. */
        CloudPodSuspend: {
            /**
             * @description Shown with the pod.
             * @example invoice 2026-118 is overdue
             */
            reason: string;
            /**
             * Format: int64
             * @description How long the guest gets to shut down before its power is cut, in seconds.
             * @default 60
             */
            timeout_s?: number | null;
        };
        /** @description Why and since when a pod may not be used. */
        CloudPodSuspension: {
            /** @description What was wanted of its power before, and is wanted again afterwards. */
            power_before: components["schemas"]["DesiredPower"];
            /** @description In the words of whoever suspended it. */
            reason: string;
            /** @description Since when. */
            since: components["schemas"]["Ms"];
        };
        /** @description What a pod received and sent. */
        CloudPodTraffic: {
            /** @description Whether that is used up. */
            exceeded: boolean;
            /**
             * Format: int64
             * @description What its plan allows in a month, both ways; null: any.
             */
            limit_gib?: number | null;
            /**
             * @description The present month, UTC.
             * @example 2026-01
             */
            month: string;
            /** @description The newest first; months without traffic are left out. */
            months: components["schemas"]["CloudPodTrafficMonth"][];
            /**
             * Format: int64
             * @description In it, both ways.
             */
            used_bytes: number;
        };
        /** @description What a pod received and sent in a month. */
        CloudPodTrafficMonth: {
            /**
             * Format: int64
             * @description Received by the guest.
             */
            in_bytes: number;
            /** @example 2026-01 */
            month: string;
            /**
             * Format: int64
             * @description Sent by the guest.
             */
            out_bytes: number;
            /** @description When its host last told of it. */
            sampled_at: components["schemas"]["Ms"];
        };
        /** @description Pods by what their hosts last said of their power. */
        CloudPodsByPower: {
            /**
             * Format: int64
             * @description Paused.
             */
            paused: number;
            /**
             * Format: int64
             * @description Running.
             */
            running: number;
            /**
             * Format: int64
             * @description Stopped.
             */
            stopped: number;
            /**
             * Format: int64
             * @description Nobody knows.
             */
            unknown: number;
        };
        /** @description Pods by where they are in their lives. */
        CloudPodsByState: {
            /**
             * Format: int64
             * @description There.
             */
            active: number;
            /**
             * Format: int64
             * @description Being removed.
             */
            deleting: number;
            /**
             * Format: int64
             * @description Could not be made, or not be removed.
             */
            failed: number;
            /**
             * Format: int64
             * @description Being made.
             */
            provisioning: number;
            /**
             * Format: int64
             * @description Asked for; their jobs have not begun.
             */
            requested: number;
            /**
             * Format: int64
             * @description There, and not to be used.
             */
            suspended: number;
        };
        /** @description A [`Condition`] as the API shows it. */
        ConditionView: {
            media: components["schemas"]["CloudPodMedia"];
            /** @description The CD that it is rescued with; null: it is not. */
            rescue_iso?: string | null;
            /** @description What that is. */
            restart_causes: components["schemas"]["CloudPodRestartCause"][];
            /** @description What was changed takes effect at its next restart. */
            restart_needed: boolean;
            /** @description Whether its tenant's suspension took it, or is about to: it comes back with its tenant. */
            suspended_with_tenant: boolean;
            suspension?: components["schemas"]["CloudPodSuspension"] | null;
        };
        /**
         * @description Whether a server's agent is there.
         * @enum {string}
         */
        ConnectionShown: "pending" | "online" | "suspect" | "offline";
        /** @description What a connection test found. */
        ConnectionTest: {
            checks: components["schemas"]["Check"][];
            /** @description The worst of all checks. */
            state: components["schemas"]["CheckState"];
            /**
             * Format: int64
             * @description Milliseconds that the whole test took.
             */
            took_ms: number;
        };
        ConnectionView: {
            last_seen_at?: components["schemas"]["Ms"] | null;
            /**
             * Format: int64
             * @description How many sessions its agent has had.
             */
            session_epoch: number;
            since: components["schemas"]["Ms"];
            state: components["schemas"]["ConnectionShown"];
        };
        /** @description What was thought of one server. */
        Considered: components["schemas"]["Verdict"] & {
            /** @description Its name. */
            name: string;
            /** @description The server. */
            server: components["schemas"]["ServerId"];
        };
        /** @description What is to be shown. */
        ConsoleAsk: {
            /** @description vnc: the screen; terminal: the serial terminal */
            kind: components["schemas"]["ConsoleKind"];
        };
        /**
         * Format: uuid
         * @description A console that was asked for.
         */
        ConsoleId: string;
        /**
         * @description What is shown.
         * @enum {string}
         */
        ConsoleKind: "vnc" | "terminal";
        /** @description What opens a console, once and within seconds. */
        ConsoleTicket: {
            expires_at: components["schemas"]["Ms"];
            id: components["schemas"]["ConsoleId"];
            kind: components["schemas"]["ConsoleKind"];
            /** @description The subprotocols to open it with; the ticket is in the second. */
            protocols: string[];
            /** @description Shown this once. */
            ticket: string;
            /**
             * @description The path of the WebSocket: `socket = new WebSocket(url, protocols)`. Its first message is text,
             *     `{"type":"opened","kind":…,"password":…}` or `{"type":"error","code":…,"detail":…}`; what follows is binary, as Proxmox VE's
             *     own websocket has it. Of `vnc` that is RFB, which asks for the password (VNC authentication): on the first message,
             *     `new RFB(element, socket, { credentials: { password } })` with noVNC. Of `terminal` it is, to the guest, `0:LENGTH:` with the
             *     bytes typed, `1:COLUMNS:ROWS:` or `2` to stay, and from the guest just what it shows.
             * @example /api/console/0198c5b2-7d43-7c1e-8a5f-6f0d4c2b9e10
             */
            url: string;
        };
        /** @description A customer with its profile. */
        Customer: {
            contact_email?: string | null;
            created_at: components["schemas"]["Ms"];
            /** @description The tenant's. */
            name: string;
            profile: components["schemas"]["CustomerProfile"];
            suspension?: components["schemas"]["TenantSuspension"] | null;
            tenant_id: components["schemas"]["TenantId"];
            /**
             * Format: int64
             * @description As in the header `ETag`: the profile's; 0: there is none.
             */
            version: number;
        };
        /** @description A pod in brief. */
        CustomerCloudPod: {
            created_at: components["schemas"]["Ms"];
            /** Format: int64 */
            disk_gib: number;
            id: components["schemas"]["CloudPodId"];
            /** Format: int64 */
            memory_mib: number;
            name: string;
            plan: string;
            state: string;
            /** Format: int32 */
            vcpu: number;
        };
        /** @description A tenant to be made, with its profile. */
        CustomerCreate: {
            /** @description Whom to write to; its owners when left out. */
            contact_email?: string | null;
            /**
             * @description The tenant's; unique.
             * @example acme
             */
            name: string;
            /** @description What is known of it. */
            profile?: components["schemas"]["CustomerPatch"];
        };
        /** @description Something that happened. */
        CustomerEvent: {
            /** @description `noun.verb`. */
            action: string;
            actor: string;
            /** @description A person's address, a token's owner and name, an agent's server. Null: a part of the control plane, or no longer there. */
            actor_name?: string | null;
            at: components["schemas"]["Ms"];
            target_id: string;
            target_kind: string;
        };
        /** @description How a customer is doing. */
        CustomerHealth: {
            /** @description Of what it is made. */
            parts: components["schemas"]["CustomerHealthPart"][];
            /**
             * Format: int32
             * @description 0 (badly) to 100: the mean of the parts' scores by their weights, rounded down.
             */
            score: number;
        };
        /** @description One part of it. */
        CustomerHealthPart: {
            /** @description `overdue_payment`, `failed_jobs`, `suspended_pods`, `inactivity` or `quota_pressure`. */
            name: string;
            /** @description In words. */
            reason: string;
            /**
             * Format: int32
             * @description 0 to 100.
             */
            score: number;
            /**
             * Format: int64
             * @description What it is decided by: days overdue, percent of jobs failed, percent of pods suspended, days of inactivity, percent of a quota.
             */
            value: number;
            /**
             * Format: int32
             * @description Its share of the whole, in percent: those of all parts are 100.
             */
            weight: number;
        };
        /** @description The platform's customers in figures. */
        CustomerKpis: {
            /**
             * Format: int64
             * @description Those that are not suspended.
             */
            active: number;
            /** @description By currency: nothing is converted. */
            revenue: components["schemas"]["CustomerRevenue"][];
            /**
             * Format: int64
             * @description All tenants.
             */
            total: number;
        };
        /** @description Something to be paid once. */
        CustomerOrder: {
            amount: components["schemas"]["Money"];
            created_at: components["schemas"]["Ms"];
            description: string;
            /** @description Open after this it is overdue. */
            due_at: components["schemas"]["Ms"];
            id: components["schemas"]["OrderId"];
            paid_at?: components["schemas"]["Ms"] | null;
            /** @description `open`, `paid`, `refunded` or `cancelled`. */
            status: string;
            subscription_id?: components["schemas"]["SubscriptionId"] | null;
        };
        /** @description A customer as a whole; of each list the newest 20. */
        CustomerOverview: {
            cloudpods: components["schemas"]["CustomerCloudPod"][];
            customer: components["schemas"]["CustomerSummary"];
            events: components["schemas"]["CustomerEvent"][];
            orders: components["schemas"]["CustomerOrder"][];
            profile: components["schemas"]["CustomerProfile"];
            /** @description How much it may use, and uses. */
            quotas: components["schemas"]["TenantQuotas"];
            subscriptions: components["schemas"]["CustomerSubscription"][];
            users: components["schemas"]["CustomerUser"][];
        };
        /** @description A page of customers, and all of them in figures. */
        CustomerPage: {
            /** @description The customers of this page. */
            items: components["schemas"]["CustomerSummary"][];
            kpis?: components["schemas"]["CustomerKpis"] | null;
            /** @description To be given as `page_token` for the next page; null: there is none. */
            next_page_token?: string | null;
        };
        /** @description A profile to be written down; what is left out stays, or is empty. */
        CustomerPatch: {
            address?: string | null;
            company?: string | null;
            contact?: string | null;
            /**
             * @description ISO 3166-1 alpha-2, or empty.
             * @example DE
             */
            country?: string | null;
            /** @description For the platform's people alone. */
            note?: string | null;
            phone?: string | null;
            tax_number?: string | null;
        };
        /** @description What the platform knows of a customer. */
        CustomerProfile: {
            address: string;
            company: string;
            contact: string;
            /** @description ISO 3166-1 alpha-2; empty: not known. */
            country: string;
            /** @description For the platform's people alone. */
            note: string;
            phone: string;
            tax_number: string;
        };
        /** @description What customers bring in one currency. */
        CustomerRevenue: {
            /**
             * Format: int64
             * @description The total over those, rounded down.
             */
            average_minor: number;
            /** @description ISO 4217. */
            currency: string;
            /**
             * Format: int64
             * @description How many customers have paid in it.
             */
            customers: number;
            /**
             * Format: int64
             * @description What was paid, in minor units.
             */
            total_minor: number;
        };
        /** @description What a customer has ordered, to be paid again and again. */
        CustomerSubscription: {
            cloudpod_id?: components["schemas"]["CloudPodId"] | null;
            cloudpod_name?: string | null;
            created_at: components["schemas"]["Ms"];
            current_period_end?: components["schemas"]["Ms"] | null;
            id: components["schemas"]["SubscriptionId"];
            /** Format: int32 */
            interval_months: number;
            plan_id?: components["schemas"]["PlanId"] | null;
            plan_name?: string | null;
            /** @description For each interval. */
            price: components["schemas"]["Money"];
            /** @description `trialing`, `active`, `past_due`, `suspended` or `cancelled`. */
            status: string;
        };
        /** @description A customer in a list. */
        CustomerSummary: {
            /**
             * Format: int64
             * @description Pods that are not deleted.
             */
            cloudpods: number;
            company: string;
            contact_email?: string | null;
            country: string;
            created_at: components["schemas"]["Ms"];
            /** @description How it is doing, and why. */
            health: components["schemas"]["CustomerHealth"];
            last_active_at?: components["schemas"]["Ms"] | null;
            name: string;
            /** @description What was paid, by currency. */
            revenue: components["schemas"]["Money"][];
            suspension?: components["schemas"]["TenantSuspension"] | null;
            tenant_id: components["schemas"]["TenantId"];
            /** Format: int64 */
            users: number;
        };
        /** @description One of a customer's people in brief. */
        CustomerUser: {
            email: string;
            id: components["schemas"]["UserId"];
            last_sign_in_at?: components["schemas"]["Ms"] | null;
            name: string;
            role: components["schemas"]["Role"];
            suspended_at?: components["schemas"]["Ms"] | null;
        };
        /**
         * Format: uuid
         * @description A message to a webhook's receiver.
         */
        DeliveryId: string;
        /**
         * @description The power state that somebody wants.
         * @enum {string}
         */
        DesiredPower: "running" | "stopped";
        /** @description A drain and its plan. */
        Drain: {
            allow_shutdown: boolean;
            counts: components["schemas"]["DrainCounts"];
            created_at: components["schemas"]["Ms"];
            created_by: string;
            deadline?: components["schemas"]["Ms"] | null;
            finished_at?: components["schemas"]["Ms"] | null;
            id: components["schemas"]["DrainId"];
            kind: components["schemas"]["Kind"];
            /** @description Why it is where it is; null: there is nothing to say. */
            note?: string | null;
            pods: components["schemas"]["DrainPod"][];
            reason: string;
            server: components["schemas"]["Named_ServerId"];
            /** Format: int64 */
            shutdown_s: number;
            state: components["schemas"]["DrainState"];
            updated_at: components["schemas"]["Ms"];
        };
        /** @description How many pods of a drain are where. */
        DrainCounts: {
            /** Format: int64 */
            blocked: number;
            /** Format: int64 */
            gone: number;
            /** Format: int64 */
            left: number;
            /** Format: int64 */
            moved: number;
            /** Format: int64 */
            moving: number;
            /** Format: int64 */
            planned: number;
        };
        /**
         * Format: uuid
         * @description The emptying of a server, or the filling after it.
         */
        DrainId: string;
        /** @description What a drain would do with a pod. */
        DrainPlan: {
            /** @description What would keep it; null: nothing. */
            blocker?: string | null;
            /**
             * Format: int64
             * @description What would have to be copied; null: not known.
             */
            bytes?: number | null;
            cloudpod: components["schemas"]["Named_CloudPodId"];
            method?: components["schemas"]["Method"] | null;
            target?: components["schemas"]["Named_ServerId"] | null;
        };
        /** @description A pod of a drain. */
        DrainPod: {
            /**
             * Format: int32
             * @description How often it was tried in vain.
             */
            attempts: number;
            /** @description What keeps it where it is; null: nothing. */
            blocker?: string | null;
            /**
             * Format: int64
             * @description What has to be copied; null: not known.
             */
            bytes?: number | null;
            cloudpod: components["schemas"]["Named_CloudPodId"];
            /** @description Why the last try failed; null: none did. */
            error?: string | null;
            job_id?: components["schemas"]["JobId"] | null;
            method?: components["schemas"]["Method"] | null;
            /**
             * Format: int32
             * @description Of its job, 0 to 100; null: it has none.
             */
            progress?: number | null;
            server_id?: components["schemas"]["ServerId"] | null;
            state: components["schemas"]["PodState"];
            target?: components["schemas"]["Named_ServerId"] | null;
        };
        /** @description What a drain would do. */
        DrainPreview: {
            /**
             * Format: int64
             * @description How many could not.
             */
            blocked: number;
            /**
             * Format: int64
             * @description What would have to be copied in all, as far as it is known.
             */
            bytes: number;
            /**
             * Format: int64
             * @description How many pods could be moved.
             */
            movable: number;
            pods: components["schemas"]["DrainPlan"][];
            server: components["schemas"]["Named_ServerId"];
        };
        /** @description What a drain would be allowed. */
        DrainPreviewRequest: {
            /** @description Whether guests of VMs that cannot be moved while they run may be asked to shut down. */
            allow_shutdown?: boolean;
        };
        /**
         * @description Where a drain is. See the diagram above.
         * @enum {string}
         */
        DrainState: "running" | "blocked" | "done" | "cancelled";
        /** @description What a host shows against what is wanted. */
        Drift: {
            /** @description What can be done here. */
            actions: components["schemas"]["DriftAction"][];
            closed_at?: components["schemas"]["Ms"] | null;
            /** @description The pod of the VM's stamp; null name: there never was such a pod. */
            cloudpod: components["schemas"]["DriftCloudPod"];
            /** @description What to do, for people. */
            cure: string;
            /** @description What is wanted. */
            expected: Record<string, never>;
            heal_job_id?: components["schemas"]["JobId"] | null;
            /**
             * Format: int32
             * @description How often it was tried to put it right.
             */
            heal_tries: number;
            id: components["schemas"]["DriftId"];
            kind: components["schemas"]["DriftKind"];
            last_seen: components["schemas"]["Ms"];
            /** @description What is seen. */
            seen: Record<string, never>;
            /** @description Where the VM is, or should be. */
            server: components["schemas"]["DriftServer"];
            /** @description It has not lasted long enough to count: an inventory may be older than what a job did meanwhile. */
            settling: boolean;
            since: components["schemas"]["Ms"];
            tenant_id?: components["schemas"]["TenantId"] | null;
            /** Format: int32 */
            vmid: number;
        };
        /**
         * @description What can be done about a difference.
         * @enum {string}
         */
        DriftAction: "accept" | "heal" | "release" | "destroy";
        /** @description What was done about a difference, and the job that does the rest. */
        DriftAndJob: {
            drift: components["schemas"]["Drift"];
            job?: components["schemas"]["Job"] | null;
        };
        DriftCloudPod: {
            id: components["schemas"]["CloudPodId"];
            name?: string | null;
        };
        /** @description A typed confirmation. */
        DriftConfirm: {
            /**
             * @description `SERVER/VMID` of the VM.
             * @example pve1/10012
             */
            confirm: string;
        };
        /**
         * Format: uuid
         * @description A difference between what is wanted and what a host shows.
         */
        DriftId: string;
        /**
         * @description What differs.
         * @enum {string}
         */
        DriftKind: "vm_missing" | "power" | "size" | "moved" | "renamed" | "autostart" | "network" | "firewall" | "locked" | "duplicate" | "orphan";
        DriftServer: {
            id: components["schemas"]["ServerId"];
            name: string;
        };
        /** @description What to paste on a host. Shown once. */
        EnrolmentCommand: {
            /** @description SHA-256 of the CA certificate, in hexadecimal. */
            ca_sha256: string;
            /** @description The whole command. */
            command: string;
            /** @description Where agents connect to. */
            control_plane: string;
            /** @description The token is worth nothing afterwards. */
            expires_at: components["schemas"]["Ms"];
            /** @description The one-time join token in it. */
            token: string;
        };
        /** @description An event, as the stream's `data` has it. */
        Event: {
            /** @description When. */
            created_at: components["schemas"]["Ms"];
            /** @description What more there is to say. */
            data: Record<string, never>;
            /** @description Its id. */
            id: components["schemas"]["EventId"];
            /** @description `noun.verb`, which is also the stream's `event`. */
            name: string;
            /**
             * Format: int64
             * @description Its number, which is also the stream's `id`.
             */
            seq: number;
            /** @description The noun's id. */
            subject: string;
            tenant_id?: components["schemas"]["TenantId"] | null;
        };
        /**
         * Format: uuid
         * @description An entry of the outbox.
         */
        EventId: string;
        /** @description Why a pod was placed where it was. */
        Explanation: {
            /** @description The chosen one, the next best, then those refused; at most 200. */
            considered: components["schemas"]["Considered"][];
            /**
             * Format: int64
             * @description How many of them could have taken it.
             */
            fitting: number;
            /** @description How many were refused, by reason; a server with two reasons counts in both. */
            rejected_by_reason: {
                [key: string]: number;
            };
            /**
             * Format: int64
             * @description How many servers there were.
             */
            servers: number;
        };
        /** @description One thing that is not as it has to be. */
        Finding: {
            /** @description What to do. */
            cure: string;
            /** @description What is wrong. */
            detail: string;
            since?: components["schemas"]["Ms"] | null;
            /** @description What it is about, as the API names it: `cloudpod 0198…`, `server pve1`. */
            subject: string;
        };
        /** @description A pod's firewall. */
        Firewall: components["schemas"]["FirewallPolicy"] & {
            /** @description Whether this version is in effect on its host. */
            applied: boolean;
            applied_at?: components["schemas"]["Ms"] | null;
            /** @description Why it is not, and what to do; null: it is. */
            not_applied_because?: string | null;
            /**
             * Format: int64
             * @description The same as in the ETag; 0: nobody changed it.
             */
            version: number;
        };
        /**
         * @description What a firewall does to a packet.
         * @enum {string}
         */
        FirewallAction: "accept" | "drop" | "reject";
        /**
         * @description Whether traffic comes to a pod or leaves it.
         * @enum {string}
         */
        FirewallDirection: "in" | "out";
        /** @description What is wanted of a pod's firewall. */
        FirewallPolicy: {
            /** @description Let it send only from the addresses that it holds. Without effect on a pod that asks DHCP for its addresses. */
            ip_filter: boolean;
            /** @description Let it send only from its own MAC addresses. */
            mac_filter: boolean;
            /** @description What happens to inbound traffic that no rule names. */
            policy_in: components["schemas"]["FirewallAction"];
            /** @description What happens to outbound traffic that no rule names. */
            policy_out: components["schemas"]["FirewallAction"];
            /** @description In order, the first match decides; at most 100. */
            rules: components["schemas"]["FirewallRule"][];
        };
        /**
         * @description What a rule can tell apart.
         * @enum {string}
         */
        FirewallProtocol: "tcp" | "udp" | "icmp" | "ipv6-icmp";
        /** @description What a pod's firewall is to be. */
        FirewallPut: {
            /** @description Let it send only from the addresses that it holds. The platform's to change; left out: as before. */
            ip_filter?: boolean | null;
            /** @description Let it send only from its own MAC addresses. The platform's to change; left out: as before. */
            mac_filter?: boolean | null;
            /** @description What happens to inbound traffic that no rule names; left out: it passes. */
            policy_in?: components["schemas"]["FirewallAction"];
            /** @description What happens to outbound traffic that no rule names; left out: it passes. */
            policy_out?: components["schemas"]["FirewallAction"];
            /** @description In order, the first match decides; at most 100. */
            rules?: components["schemas"]["FirewallRule"][];
        };
        /** @description One rule of a firewall. What is left out matches anything. */
        FirewallRule: {
            /** @description What happens to it. */
            action: components["schemas"]["FirewallAction"];
            /** @description For people. */
            comment?: string | null;
            /** @description To this address or network (CIDR). */
            destination?: string | null;
            /** @description To these ports. */
            destination_ports?: string | null;
            /** @description Which traffic. */
            direction: components["schemas"]["FirewallDirection"];
            protocol?: components["schemas"]["FirewallProtocol"] | null;
            /** @description From this address or network (CIDR). */
            source?: string | null;
            /** @description From these ports: `80`, `8000:8100`, or several with commas. For tcp and udp. */
            source_ports?: string | null;
        };
        /** @description One of the fullest servers. */
        FullServer: components["schemas"]["CapacityRoom"] & {
            /** @description The server. */
            id: components["schemas"]["ServerId"];
            /** @description Its name. */
            name: string;
        };
        /** @description Whether it is alive. */
        Health: {
            /** @description Always `alive`. */
            status: string;
            /** @description The version of this control plane. */
            version: string;
        };
        /** @description How a server was doing in one step of time, or at one: means, and the highest values. */
        HealthSample: {
            /** @description When it was heard, or the step begins. */
            at: components["schemas"]["Ms"];
            /**
             * Format: double
             * @description 0..=1, of all threads.
             */
            cpu_load: number;
            /**
             * Format: double
             * @description The highest.
             */
            cpu_load_max: number;
            /**
             * Format: int64
             * @description All memory, at its most.
             */
            memory_total_mib: number;
            /**
             * Format: int64
             * @description The most.
             */
            memory_used_max_mib: number;
            /**
             * Format: int64
             * @description Memory in use.
             */
            memory_used_mib: number;
            /**
             * Format: int64
             * @description So many samples are one here.
             */
            samples: number;
            /**
             * Format: int64
             * @description All storages together, at their most.
             */
            storage_total_gib: number;
            /**
             * Format: int64
             * @description What is taken of all storages together.
             */
            storage_used_gib: number;
            /**
             * Format: int64
             * @description The most.
             */
            storage_used_max_gib: number;
        };
        HostView: {
            agent_version?: string | null;
            /** @description The storages that may hold backups; null: not told. */
            backup_storages?: string[] | null;
            boot_id?: string | null;
            bridges: string[];
            /** @description Null: not known; empty: in no cluster. */
            cluster_name?: string | null;
            /** Format: int32 */
            cpu_threads?: number | null;
            /** @description Whether the firewall of its datacenter is on, without which no CloudPod's firewall filters anything; null: not known. */
            datacenter_firewall?: boolean | null;
            inventory_at?: components["schemas"]["Ms"] | null;
            machine_id?: string | null;
            /** Format: int64 */
            memory_mib?: number | null;
            node_name?: string | null;
            proxmox_silent_since?: components["schemas"]["Ms"] | null;
            pve_version?: string | null;
        };
        /** @description A VM template under a customer-facing name. */
        Image: {
            /** @description Whether new pods may be made of it. */
            active: boolean;
            created_at: components["schemas"]["Ms"];
            /** @description The user that cloud-init makes when the request names none. */
            default_user: string;
            id: components["schemas"]["ImageId"];
            /**
             * Format: int64
             * @description The least disk that it needs.
             */
            min_disk_gib: number;
            name: string;
            /** @description For people. */
            os: string;
            template_name?: string | null;
            /**
             * Format: int32
             * @description Where the template is on servers that `templates` does not name.
             */
            template_vmid?: number | null;
            /** @description Where it is on particular servers. */
            templates: components["schemas"]["ImageTemplate"][];
            tenant_id?: components["schemas"]["TenantId"] | null;
            /** @description Null also where a tenant's own list shows it. */
            tenant_name?: string | null;
            updated_at: components["schemas"]["Ms"];
            /**
             * Format: int64
             * @description As in the header `ETag`.
             */
            version: number;
        };
        /** @description An image to be made of a CloudPod. */
        ImageCapture: {
            /**
             * @description No other image that the tenant sees is called so.
             * @example golden
             */
            name: string;
            /** @description For people; left out: as of the image that the CloudPod was made of. */
            os?: string | null;
        };
        /** @description An image to be made. Its template is found by VMID or by name; `templates` says otherwise for particular servers. */
        ImageCreate: {
            active?: boolean;
            /** @example debian */
            default_user: string;
            /** Format: int64 */
            min_disk_gib?: number;
            /** @example debian-13 */
            name: string;
            /** @example Debian 13 */
            os?: string;
            template_name?: string | null;
            /**
             * Format: int32
             * @example 9000
             */
            template_vmid?: number | null;
            templates?: components["schemas"]["ImageTemplateBody"][];
        };
        /**
         * Format: uuid
         * @description A VM template under a customer-facing name.
         */
        ImageId: string;
        /** @description A change of an image; what is left out stays. Pods that were made of it stay as they are. */
        ImagePatch: {
            active?: boolean | null;
            default_user?: string | null;
            /** Format: int64 */
            min_disk_gib?: number | null;
            name?: string | null;
            os?: string | null;
            /** @description Takes the place of a VMID. */
            template_name?: string | null;
            /**
             * Format: int32
             * @description Takes the place of a name.
             */
            template_vmid?: number | null;
            /** @description All of them anew. */
            templates?: components["schemas"]["ImageTemplateBody"][] | null;
        };
        /** @description Where an image's template is on one server. */
        ImageTemplate: {
            server_id: components["schemas"]["ServerId"];
            template_name?: string | null;
            /** Format: int32 */
            template_vmid?: number | null;
        };
        /** @description Where an image's template is on one server: by VMID or by name. */
        ImageTemplateBody: {
            /** @description Id or name. */
            server: string;
            template_name?: string | null;
            /** Format: int32 */
            template_vmid?: number | null;
        };
        /** @description One thing that must hold. */
        Invariant: {
            /** @description What holds when it is ok. */
            holds: string;
            /** @description What is wrong; at most 100. */
            items: components["schemas"]["Finding"][];
            /** @description There are more than are listed. */
            more: boolean;
            /** @description Stable, for programs: `addresses`, `jobs_stuck`, …. */
            name: string;
            /** @description Whether it does. */
            ok: boolean;
        };
        /** @description All of them. */
        Invariants: {
            /** @description When they were looked at. */
            checked_at: components["schemas"]["Ms"];
            /** @description Each, in a stable order. */
            checks: components["schemas"]["Invariant"][];
            /** @description Whether all hold. */
            ok: boolean;
        };
        /** @description An invitation that is open. */
        Invitation: {
            created_at: components["schemas"]["Ms"];
            email: string;
            expires_at: components["schemas"]["Ms"];
            id: components["schemas"]["InvitationId"];
            /** @description Who invited: `user:` or `token:` and an id. */
            invited_by: string;
            /** @description Their address, or a token's owner and name. Null: they are no longer there; to a tenant's people, the platform's staff. */
            invited_by_name?: string | null;
            /** @description Whether the link was mailed to the address; otherwise it was shown to who invited. */
            mailed: boolean;
            role: components["schemas"]["Role"];
            tenant_id: components["schemas"]["TenantId"];
            tenant_name: string;
        };
        /** @description What somebody who accepts an invitation brings. */
        InvitationAccept: {
            /** @description What they are called. Only for a new account; who has one signs in before they accept. */
            name?: string | null;
            /** @description Only for a new account. */
            password?: string | null;
            /** @description The invitation's secret. */
            token: string;
        };
        /** @description Whom to invite. */
        InvitationCreate: {
            /** @example anna@example.net */
            email: string;
            role: components["schemas"]["Role"];
        };
        /** @description An invitation that was made. */
        InvitationCreated: {
            invitation: components["schemas"]["Invitation"];
            /** @description What whoever is invited accepts with, shown this once: give it to them. Null: it was sent to them by mail. */
            token?: string | null;
        };
        /**
         * Format: uuid
         * @description A one-time link by which somebody joins a tenant.
         */
        InvitationId: string;
        /** @description Who holds an address. */
        IpAddressHolder: {
            address: string;
            allocated_at: components["schemas"]["Ms"];
            cloudpod_id: components["schemas"]["CloudPodId"];
        };
        /** @description A range of addresses to be given out. */
        IpPool: {
            /** @description Whether addresses may be given out. */
            active: boolean;
            /** Format: int64 */
            allocated: number;
            /** @description Null: the server's bridge. */
            bridge?: string | null;
            created_at: components["schemas"]["Ms"];
            dns: string[];
            /**
             * Format: int32
             * @description 4 or 6.
             */
            family: number;
            first: string;
            /** Format: int64 */
            free: number;
            gateway: string;
            id: components["schemas"]["IpPoolId"];
            last: string;
            name: string;
            /** Format: int32 */
            prefix_length: number;
            /** @description Whether customers may draw from it; otherwise only the platform's staff gives out its addresses, by naming it. */
            public: boolean;
            /** @description Null: serves every region. */
            region?: string | null;
            /**
             * Format: int64
             * @description How many addresses may be given out in all.
             */
            size: number;
            updated_at: components["schemas"]["Ms"];
            /**
             * Format: int64
             * @description As in the header `ETag`.
             */
            version: number;
            /**
             * Format: int32
             * @description Null: untagged.
             */
            vlan?: number | null;
        };
        /**
         * @description A pool to be made: a subnet (`cidr`: all its hosts but the gateway), or `first` to `last` in a subnet of `prefix_length`.
         *     Of a v6 subnet larger than 2^62 addresses the lowest 2^62 are used.
         */
        IpPoolCreate: {
            active?: boolean;
            /** @description The server's bridge when left out. */
            bridge?: string | null;
            /** @example 192.0.2.0/24 */
            cidr?: string | null;
            dns?: string[];
            first?: string | null;
            /**
             * @description Never given out, also where it lies within the range.
             * @example 192.0.2.1
             */
            gateway: string;
            last?: string | null;
            /** @example public-v4 */
            name: string;
            /** Format: int32 */
            prefix_length?: number | null;
            /** @description Whether customers may draw from it; otherwise only the platform's staff gives out its addresses, by naming it. */
            public?: boolean;
            /** @description Every region when left out. */
            region?: string | null;
            /**
             * Format: int32
             * @description Untagged when left out.
             */
            vlan?: number | null;
        };
        /**
         * Format: uuid
         * @description A range of addresses.
         */
        IpPoolId: string;
        /** @description A change of a pool; what is left out stays. The first address cannot change: make another pool instead. */
        IpPoolPatch: {
            active?: boolean | null;
            /** @description Null: the server's bridge. */
            bridge?: string | null;
            dns?: string[] | null;
            gateway?: string | null;
            last?: string | null;
            name?: string | null;
            /** @description Addresses that pods hold already stay theirs. */
            public?: boolean | null;
            /** @description Null: every region. */
            region?: string | null;
            /**
             * Format: int32
             * @description Null: untagged.
             */
            vlan?: number | null;
        };
        /** @description A storage whose ISO images everybody may put into their CloudPods' drives. */
        IsoStorage: {
            name: string;
        };
        /** @description A job as the API shows it. */
        Job: {
            /**
             * Format: int32
             * @description Which try of that step this is, from 1.
             */
            attempt: number;
            /** Format: int32 */
            attempts_max: number;
            cancel_requested: boolean;
            cloudpod_id?: components["schemas"]["CloudPodId"] | null;
            /** @description Null also where the job is told beside its pod, and not read by itself. */
            cloudpod_name?: string | null;
            created_at: components["schemas"]["Ms"];
            created_by: string;
            /**
             * @description A person's address, a token's owner and name. Null: a part of the control plane; who is no longer there; to a tenant's people,
             *     the platform's staff; or the job is not read by itself.
             */
            created_by_name?: string | null;
            error?: components["schemas"]["JobError"] | null;
            finished_at?: components["schemas"]["Ms"] | null;
            id: components["schemas"]["JobId"];
            /** @description `provision`, `start`, `destroy`, … */
            kind: string;
            /**
             * Format: int32
             * @description 0 to 100 of the whole.
             */
            progress: number;
            /** @description Whether `retry` does something: it is stuck, or it waits for its next try. */
            retryable: boolean;
            /** @description Not before this time. */
            run_at: components["schemas"]["Ms"];
            server_id?: components["schemas"]["ServerId"] | null;
            /** @description Null also where the caller is not shown servers, or the job is not read by itself. */
            server_name?: string | null;
            started_at?: components["schemas"]["Ms"] | null;
            state: components["schemas"]["JobState"];
            /** @description The step that is next or under way. */
            step?: string | null;
            /** @description In order; only where one job is read, not in lists. */
            steps?: components["schemas"]["StepView"][];
            tenant_id?: components["schemas"]["TenantId"] | null;
            /** @description Null also where the job is told beside its pod, and not read by itself. */
            tenant_name?: string | null;
            updated_at: components["schemas"]["Ms"];
            waits_for?: components["schemas"]["WaitsFor"] | null;
        };
        /** @description What became of one job. */
        JobDone: {
            /** @description Stable, for programs; null where it was done. */
            code?: string | null;
            /** @description Why nothing was done; null where it was. */
            detail?: string | null;
            id: components["schemas"]["JobId"];
            ok: boolean;
            state?: components["schemas"]["JobState"] | null;
        };
        /** @description Why a try failed. */
        JobError: {
            /** @description Stable, for programs. */
            code: string;
            /** @description The cause in full, in Proxmox's own words where it is Proxmox's. */
            detail: string;
        };
        /** @description How many jobs ended in each step of time. */
        JobHistory: {
            /** @description Every step, also those in which nothing ended, the earliest first; at most 288. The last one may not be over. */
            items: components["schemas"]["JobsEnded"][];
            /**
             * Format: int32
             * @description How long each step is, in seconds.
             */
            step_s: number;
        };
        /**
         * Format: uuid
         * @description One thing to do to one pod or server.
         */
        JobId: string;
        /** @description Which jobs: `ids` or `filter`. */
        JobSelection: {
            filter?: components["schemas"]["JobSelectionFilter"] | null;
            /** @description At most 200. */
            ids?: components["schemas"]["JobId"][] | null;
        };
        /** @description Which jobs a bulk operation is for. */
        JobSelectionFilter: {
            /** @description Of this kind, e.g. `provision`. */
            kind?: string | null;
            /** @description On this server: its id or name. */
            server?: string | null;
            /** @description `queued`, `running`, `undoing` or `stuck`. */
            state: components["schemas"]["JobState"];
        };
        /**
         * @description Where a job is in its life. See the diagram above.
         * @enum {string}
         */
        JobState: "queued" | "running" | "undoing" | "succeeded" | "failed" | "cancelled" | "stuck";
        /** @description What became of each. */
        JobsDone: {
            /** @description How many it was done with. */
            done: number;
            items: components["schemas"]["JobDone"][];
            /** @description The filter finds more: ask again. */
            more: boolean;
            /** @description How many it could not be done with. */
            refused: number;
        };
        /** @description How many jobs ended within one step of time. */
        JobsEnded: {
            /** @description When it begins. */
            at: components["schemas"]["Ms"];
            /**
             * Format: int64
             * @description Were cancelled.
             */
            cancelled: number;
            /**
             * Format: int64
             * @description Failed; what they had done was undone.
             */
            failed: number;
            /**
             * Format: int64
             * @description Got stuck then, and still are.
             */
            stuck: number;
            /**
             * Format: int64
             * @description Did what they were to.
             */
            succeeded: number;
        };
        /**
         * @description What a drain is for.
         * @enum {string}
         */
        Kind: "drain" | "fill_back";
        LoadView: {
            at: components["schemas"]["Ms"];
            /**
             * Format: double
             * @description 0 to 1, of all threads.
             */
            cpu_load: number;
            /** Format: int64 */
            memory_used_mib: number;
            /** Format: int64 */
            uptime_s: number;
        };
        /** @description A line of a job's log. */
        LogLineView: {
            at: components["schemas"]["Ms"];
            /**
             * Format: int32
             * @description Which try, from 1 in each phase and after each retry.
             */
            attempt: number;
            /** @description `info`, `warn` or `error`. */
            level: string;
            line: string;
            phase?: components["schemas"]["Phase"] | null;
            /**
             * Format: int32
             * @description How often an undo that was stuck had been begun anew by then; 0: not yet.
             */
            retry: number;
            step: string;
        };
        /** @description Who asks. */
        Me: {
            /** @description Where they belong. */
            memberships: components["schemas"]["OwnMembership"][];
            /** @description What they may do in the tenant that they named, or everywhere together. */
            permissions: string[];
            session_id?: components["schemas"]["SessionId"] | null;
            /** @description Whether they are of the platform's staff. */
            staff: boolean;
            user?: components["schemas"]["SignedInPerson"] | null;
        };
        /**
         * @description How a VM is moved.
         * @enum {string}
         */
        Method: "live" | "offline" | "remote";
        /** @description Where hosts of other Proxmox clusters send VMs to. The token is not shown. */
        MigrationEndpoint: {
            fingerprint: string;
            host: string;
            /** Format: int32 */
            port: number;
            updated_at: components["schemas"]["Ms"];
        };
        /** @description Where hosts of other Proxmox clusters send VMs to. */
        MigrationEndpointSet: {
            /** @description SHA-256 of its certificate, `AA:BB:…`. */
            fingerprint: string;
            /**
             * @description Name or address under which the hosts of the other clusters reach this one.
             * @example pve9.example.net
             */
            host: string;
            /**
             * Format: int32
             * @description Of its Proxmox API.
             * @default 8006
             */
            port?: number;
            /** @description An API token of its cluster, `user@realm!id=secret`. Kept sealed, shown never again. */
            token: string;
        };
        /** @description An amount of money. */
        Money: {
            /**
             * Format: int64
             * @description In minor units of the currency (cents).
             */
            amount_minor: number;
            /** @description ISO 4217. */
            currency: string;
        };
        /** Format: date-time */
        Ms: string;
        /** @description Something of another slice, with the name that people know it by. */
        Named_CloudPodId: {
            /**
             * Format: uuid
             * @description A customer's VM.
             */
            id: string;
            /** @description Its name. */
            name: string;
        };
        /** @description Something of another slice, with the name that people know it by. */
        Named_ImageId: {
            /**
             * Format: uuid
             * @description A VM template under a customer-facing name.
             */
            id: string;
            /** @description Its name. */
            name: string;
        };
        /** @description Something of another slice, with the name that people know it by. */
        Named_IpPoolId: {
            /**
             * Format: uuid
             * @description A range of addresses.
             */
            id: string;
            /** @description Its name. */
            name: string;
        };
        /** @description Something of another slice, with the name that people know it by. */
        Named_PlanId: {
            /**
             * Format: uuid
             * @description A size and a price.
             */
            id: string;
            /** @description Its name. */
            name: string;
        };
        /** @description Something of another slice, with the name that people know it by. */
        Named_ServerId: {
            /**
             * Format: uuid
             * @description A registered Proxmox VE host.
             */
            id: string;
            /** @description Its name. */
            name: string;
        };
        /** @description A provider. */
        OidcProvider: {
            /** @description Its name, for the other paths. */
            name: string;
            /** @description Where to send a browser. */
            start: string;
        };
        /**
         * Format: uuid
         * @description Something that a customer pays once.
         */
        OrderId: string;
        /** @description What somebody is in a tenant. */
        OwnMembership: {
            /** @description Whether it counts; otherwise it, or its tenant, is suspended. */
            active: boolean;
            role: components["schemas"]["Role"];
            tenant_id: components["schemas"]["TenantId"];
            tenant_name: string;
        };
        /** @description One page of a list. */
        Page_Account: {
            /** @description The items of this page. */
            items: {
                created_at: components["schemas"]["Ms"];
                email: string;
                /** @description Whether the address has been shown to be theirs: staff made the account, or a mailed link was used. */
                email_proven: boolean;
                id: components["schemas"]["UserId"];
                last_sign_in_at?: components["schemas"]["Ms"] | null;
                name: string;
                /** @description Whether they are of the platform's staff, who may do everything. */
                staff: boolean;
                state: components["schemas"]["UserState"];
                suspended_at?: components["schemas"]["Ms"] | null;
                /** @description Whether a second factor is asked for. */
                totp_enabled: boolean;
                /**
                 * Format: int64
                 * @description As in the header `ETag`.
                 */
                version: number;
            }[];
            /** @description To be given as `page_token` for the next page; null: there is none. */
            next_page_token?: string | null;
        };
        /** @description One page of a list. */
        Page_ApiToken: {
            /** @description The items of this page. */
            items: {
                created_at: components["schemas"]["Ms"];
                expires_at: components["schemas"]["Ms"];
                id: components["schemas"]["TokenId"];
                last_used_at?: components["schemas"]["Ms"] | null;
                name: string;
                /** @description What it may do, as far as its user may at that moment. */
                permissions: components["schemas"]["Permission"][];
                tenant_id?: components["schemas"]["TenantId"] | null;
                tenant_name?: string | null;
                /** @description Their address. */
                user_email: string;
                /** @description Whose it is. */
                user_id: components["schemas"]["UserId"];
            }[];
            /** @description To be given as `page_token` for the next page; null: there is none. */
            next_page_token?: string | null;
        };
        /** @description One page of a list. */
        Page_AuditRecordNamed: {
            /** @description The items of this page. */
            items: (components["schemas"]["AuditRecord"] & {
                /**
                 * @description A person's address, a token's owner and name, an agent's server. Null: a part of the control plane; somebody who is no
                 *     longer there; to a tenant's people, the platform's staff and servers.
                 */
                actor_name?: string | null;
                /** @description Null: the platform's alone. */
                tenant_name?: string | null;
            })[];
            /** @description To be given as `page_token` for the next page; null: there is none. */
            next_page_token?: string | null;
        };
        /** @description One page of a list. */
        Page_Backup: {
            /** @description The items of this page. */
            items: {
                /** @description Of which CloudPod; it may be deleted. */
                cloudpod: components["schemas"]["Named_CloudPodId"];
                created_at: components["schemas"]["Ms"];
                id: components["schemas"]["BackupId"];
                kept_until?: components["schemas"]["Ms"] | null;
                made_at?: components["schemas"]["Ms"] | null;
                mode: components["schemas"]["BackupMode"];
                note: string;
                /** @description Never pruned, and not deleted before this is taken away. */
                protected: boolean;
                /** @description Made by the CloudPod's policy. */
                scheduled: boolean;
                /** @description Whose agent made it. */
                server: components["schemas"]["Named_ServerId"];
                /**
                 * Format: int64
                 * @description Null while it is being made.
                 */
                size_bytes?: number | null;
                /** @description creating, ready or deleting */
                state: components["schemas"]["BackupState"];
                storage: string;
                tenant_id: components["schemas"]["TenantId"];
                /** @description Proxmox's name of it; null while it is being made. */
                volid?: string | null;
            }[];
            /** @description To be given as `page_token` for the next page; null: there is none. */
            next_page_token?: string | null;
        };
        /** @description One page of a list. */
        Page_CloudPod: {
            /** @description The items of this page. */
            items: (components["schemas"]["ConditionView"] & {
                addresses: components["schemas"]["CloudPodAddress"][];
                created_at: components["schemas"]["Ms"];
                deleted_at?: components["schemas"]["Ms"] | null;
                desired_power: components["schemas"]["DesiredPower"];
                /** Format: int64 */
                disk_gib: number;
                /** @description Why it failed; null unless its state is failed. */
                failure?: string | null;
                id: components["schemas"]["CloudPodId"];
                image: components["schemas"]["Named_ImageId"];
                /** Format: int64 */
                memory_mib: number;
                moving_to?: components["schemas"]["Named_ServerId"] | null;
                name: string;
                observed_at?: components["schemas"]["Ms"] | null;
                observed_power: components["schemas"]["Power"];
                placement: components["schemas"]["CloudPodPlacementWish"];
                plan: components["schemas"]["Named_PlanId"];
                server?: components["schemas"]["Named_ServerId"] | null;
                ssh_keys: string[];
                stale_since?: components["schemas"]["Ms"] | null;
                /** @description Whether its VM is to start with its host, while it is not suspended. */
                start_on_boot: boolean;
                /** @description requested, provisioning, active, suspended, deleting, deleted or failed */
                state: string;
                storage?: string | null;
                tenant_id: components["schemas"]["TenantId"];
                tenant_name: string;
                updated_at: components["schemas"]["Ms"];
                /** @description The user that the SSH keys are for. */
                user: string;
                /** Format: int32 */
                vcpu: number;
                /**
                 * Format: int64
                 * @description The same as in the ETag.
                 */
                version: number;
                /** Format: int32 */
                vmid?: number | null;
            })[];
            /** @description To be given as `page_token` for the next page; null: there is none. */
            next_page_token?: string | null;
        };
        /** @description One page of a list. */
        Page_Customer: {
            /** @description The items of this page. */
            items: {
                contact_email?: string | null;
                created_at: components["schemas"]["Ms"];
                /** @description The tenant's. */
                name: string;
                profile: components["schemas"]["CustomerProfile"];
                suspension?: components["schemas"]["TenantSuspension"] | null;
                tenant_id: components["schemas"]["TenantId"];
                /**
                 * Format: int64
                 * @description As in the header `ETag`: the profile's; 0: there is none.
                 */
                version: number;
            }[];
            /** @description To be given as `page_token` for the next page; null: there is none. */
            next_page_token?: string | null;
        };
        /** @description One page of a list. */
        Page_Drift: {
            /** @description The items of this page. */
            items: {
                /** @description What can be done here. */
                actions: components["schemas"]["DriftAction"][];
                closed_at?: components["schemas"]["Ms"] | null;
                /** @description The pod of the VM's stamp; null name: there never was such a pod. */
                cloudpod: components["schemas"]["DriftCloudPod"];
                /** @description What to do, for people. */
                cure: string;
                /** @description What is wanted. */
                expected: Record<string, never>;
                heal_job_id?: components["schemas"]["JobId"] | null;
                /**
                 * Format: int32
                 * @description How often it was tried to put it right.
                 */
                heal_tries: number;
                id: components["schemas"]["DriftId"];
                kind: components["schemas"]["DriftKind"];
                last_seen: components["schemas"]["Ms"];
                /** @description What is seen. */
                seen: Record<string, never>;
                /** @description Where the VM is, or should be. */
                server: components["schemas"]["DriftServer"];
                /** @description It has not lasted long enough to count: an inventory may be older than what a job did meanwhile. */
                settling: boolean;
                since: components["schemas"]["Ms"];
                tenant_id?: components["schemas"]["TenantId"] | null;
                /** Format: int32 */
                vmid: number;
            }[];
            /** @description To be given as `page_token` for the next page; null: there is none. */
            next_page_token?: string | null;
        };
        /** @description One page of a list. */
        Page_Image: {
            /** @description The items of this page. */
            items: {
                /** @description Whether new pods may be made of it. */
                active: boolean;
                created_at: components["schemas"]["Ms"];
                /** @description The user that cloud-init makes when the request names none. */
                default_user: string;
                id: components["schemas"]["ImageId"];
                /**
                 * Format: int64
                 * @description The least disk that it needs.
                 */
                min_disk_gib: number;
                name: string;
                /** @description For people. */
                os: string;
                template_name?: string | null;
                /**
                 * Format: int32
                 * @description Where the template is on servers that `templates` does not name.
                 */
                template_vmid?: number | null;
                /** @description Where it is on particular servers. */
                templates: components["schemas"]["ImageTemplate"][];
                tenant_id?: components["schemas"]["TenantId"] | null;
                /** @description Null also where a tenant's own list shows it. */
                tenant_name?: string | null;
                updated_at: components["schemas"]["Ms"];
                /**
                 * Format: int64
                 * @description As in the header `ETag`.
                 */
                version: number;
            }[];
            /** @description To be given as `page_token` for the next page; null: there is none. */
            next_page_token?: string | null;
        };
        /** @description One page of a list. */
        Page_Invitation: {
            /** @description The items of this page. */
            items: {
                created_at: components["schemas"]["Ms"];
                email: string;
                expires_at: components["schemas"]["Ms"];
                id: components["schemas"]["InvitationId"];
                /** @description Who invited: `user:` or `token:` and an id. */
                invited_by: string;
                /** @description Their address, or a token's owner and name. Null: they are no longer there; to a tenant's people, the platform's staff. */
                invited_by_name?: string | null;
                /** @description Whether the link was mailed to the address; otherwise it was shown to who invited. */
                mailed: boolean;
                role: components["schemas"]["Role"];
                tenant_id: components["schemas"]["TenantId"];
                tenant_name: string;
            }[];
            /** @description To be given as `page_token` for the next page; null: there is none. */
            next_page_token?: string | null;
        };
        /** @description One page of a list. */
        Page_IpAddressHolder: {
            /** @description The items of this page. */
            items: {
                address: string;
                allocated_at: components["schemas"]["Ms"];
                cloudpod_id: components["schemas"]["CloudPodId"];
            }[];
            /** @description To be given as `page_token` for the next page; null: there is none. */
            next_page_token?: string | null;
        };
        /** @description One page of a list. */
        Page_IpPool: {
            /** @description The items of this page. */
            items: {
                /** @description Whether addresses may be given out. */
                active: boolean;
                /** Format: int64 */
                allocated: number;
                /** @description Null: the server's bridge. */
                bridge?: string | null;
                created_at: components["schemas"]["Ms"];
                dns: string[];
                /**
                 * Format: int32
                 * @description 4 or 6.
                 */
                family: number;
                first: string;
                /** Format: int64 */
                free: number;
                gateway: string;
                id: components["schemas"]["IpPoolId"];
                last: string;
                name: string;
                /** Format: int32 */
                prefix_length: number;
                /** @description Whether customers may draw from it; otherwise only the platform's staff gives out its addresses, by naming it. */
                public: boolean;
                /** @description Null: serves every region. */
                region?: string | null;
                /**
                 * Format: int64
                 * @description How many addresses may be given out in all.
                 */
                size: number;
                updated_at: components["schemas"]["Ms"];
                /**
                 * Format: int64
                 * @description As in the header `ETag`.
                 */
                version: number;
                /**
                 * Format: int32
                 * @description Null: untagged.
                 */
                vlan?: number | null;
            }[];
            /** @description To be given as `page_token` for the next page; null: there is none. */
            next_page_token?: string | null;
        };
        /** @description One page of a list. */
        Page_IsoStorage: {
            /** @description The items of this page. */
            items: {
                name: string;
            }[];
            /** @description To be given as `page_token` for the next page; null: there is none. */
            next_page_token?: string | null;
        };
        /** @description One page of a list. */
        Page_Job: {
            /** @description The items of this page. */
            items: {
                /**
                 * Format: int32
                 * @description Which try of that step this is, from 1.
                 */
                attempt: number;
                /** Format: int32 */
                attempts_max: number;
                cancel_requested: boolean;
                cloudpod_id?: components["schemas"]["CloudPodId"] | null;
                /** @description Null also where the job is told beside its pod, and not read by itself. */
                cloudpod_name?: string | null;
                created_at: components["schemas"]["Ms"];
                created_by: string;
                /**
                 * @description A person's address, a token's owner and name. Null: a part of the control plane; who is no longer there; to a tenant's people,
                 *     the platform's staff; or the job is not read by itself.
                 */
                created_by_name?: string | null;
                error?: components["schemas"]["JobError"] | null;
                finished_at?: components["schemas"]["Ms"] | null;
                id: components["schemas"]["JobId"];
                /** @description `provision`, `start`, `destroy`, … */
                kind: string;
                /**
                 * Format: int32
                 * @description 0 to 100 of the whole.
                 */
                progress: number;
                /** @description Whether `retry` does something: it is stuck, or it waits for its next try. */
                retryable: boolean;
                /** @description Not before this time. */
                run_at: components["schemas"]["Ms"];
                server_id?: components["schemas"]["ServerId"] | null;
                /** @description Null also where the caller is not shown servers, or the job is not read by itself. */
                server_name?: string | null;
                started_at?: components["schemas"]["Ms"] | null;
                state: components["schemas"]["JobState"];
                /** @description The step that is next or under way. */
                step?: string | null;
                /** @description In order; only where one job is read, not in lists. */
                steps?: components["schemas"]["StepView"][];
                tenant_id?: components["schemas"]["TenantId"] | null;
                /** @description Null also where the job is told beside its pod, and not read by itself. */
                tenant_name?: string | null;
                updated_at: components["schemas"]["Ms"];
                waits_for?: components["schemas"]["WaitsFor"] | null;
            }[];
            /** @description To be given as `page_token` for the next page; null: there is none. */
            next_page_token?: string | null;
        };
        /** @description One page of a list. */
        Page_LogLineView: {
            /** @description The items of this page. */
            items: {
                at: components["schemas"]["Ms"];
                /**
                 * Format: int32
                 * @description Which try, from 1 in each phase and after each retry.
                 */
                attempt: number;
                /** @description `info`, `warn` or `error`. */
                level: string;
                line: string;
                phase?: components["schemas"]["Phase"] | null;
                /**
                 * Format: int32
                 * @description How often an undo that was stuck had been begun anew by then; 0: not yet.
                 */
                retry: number;
                step: string;
            }[];
            /** @description To be given as `page_token` for the next page; null: there is none. */
            next_page_token?: string | null;
        };
        /** @description One page of a list. */
        Page_Plan: {
            /** @description The items of this page. */
            items: {
                /** @description Whether new pods may be made of it. */
                active: boolean;
                created_at: components["schemas"]["Ms"];
                /** @description ISO 4217. */
                currency: string;
                /** Format: int64 */
                disk_gib: number;
                id: components["schemas"]["PlanId"];
                /** Format: int64 */
                memory_mib: number;
                name: string;
                /**
                 * Format: int64
                 * @description A month, in minor units of the currency (cents).
                 */
                price_minor: number;
                /**
                 * Format: int64
                 * @description A month; null: not limited.
                 */
                traffic_gib?: number | null;
                updated_at: components["schemas"]["Ms"];
                /** Format: int32 */
                vcpu: number;
                /**
                 * Format: int64
                 * @description As in the header `ETag`.
                 */
                version: number;
            }[];
            /** @description To be given as `page_token` for the next page; null: there is none. */
            next_page_token?: string | null;
        };
        /** @description One page of a list. */
        Page_Region: {
            /** @description The items of this page. */
            items: {
                name: string;
            }[];
            /** @description To be given as `page_token` for the next page; null: there is none. */
            next_page_token?: string | null;
        };
        /** @description One page of a list. */
        Page_Server: {
            /** @description The items of this page. */
            items: {
                /** @description The storage that backups of its pods go to when a request names none; null: each has to name one. */
                backup_storage?: string | null;
                /** @description The bridge that pods are attached to. */
                bridge: string;
                capacity: components["schemas"]["CapacityView"];
                certificate?: components["schemas"]["AgentCertificate"] | null;
                /** @description Whether its agent is there. */
                connection: components["schemas"]["ConnectionView"];
                /**
                 * Format: double
                 * @description Virtual CPUs per thread.
                 */
                cpu_overcommit: number;
                /**
                 * Format: int32
                 * @description The operator's limit; null: as the agent reports.
                 */
                cpu_threads?: number | null;
                created_at: components["schemas"]["Ms"];
                /**
                 * Format: int64
                 * @description How often it was declared lost.
                 */
                generation: number;
                /** @description What its agent told. */
                host: components["schemas"]["HostView"];
                id: components["schemas"]["ServerId"];
                labels: {
                    [key: string]: string;
                };
                load?: components["schemas"]["LoadView"] | null;
                lost_at?: components["schemas"]["Ms"] | null;
                /**
                 * Format: int64
                 * @description The operator's limit; null: as the agent reports.
                 */
                memory_mib?: number | null;
                name: string;
                /**
                 * Format: int32
                 * @description Null: no limit.
                 */
                pod_limit?: number | null;
                /** @description What is wrong with it; null: nothing known. */
                problem?: string | null;
                region: string;
                reserved: components["schemas"]["Reserved"];
                /** @description What the operator wants of it. */
                scheduling: components["schemas"]["SchedulingView"];
                storages: components["schemas"]["StorageView"][];
                updated_at: components["schemas"]["Ms"];
                /**
                 * Format: int64
                 * @description As in the header `ETag`.
                 */
                version: number;
                /** Format: int32 */
                vmid_max: number;
                /** Format: int32 */
                vmid_min: number;
                /** @description The space that VMIDs are unique in: the Proxmox cluster's name or, outside a cluster, the server's id. */
                vmid_space: string;
                /**
                 * Format: int64
                 * @description Jobs that wait for its agent: `/api/platform/provisioning/jobs?waits_for=` with its id lists them.
                 */
                waiting_jobs: number;
            }[];
            /** @description To be given as `page_token` for the next page; null: there is none. */
            next_page_token?: string | null;
        };
        /** @description One page of a list. */
        Page_Session: {
            /** @description The items of this page. */
            items: {
                /** @description From where it was last refreshed. */
                address: string;
                created_at: components["schemas"]["Ms"];
                /** @description Whether it is the one that asks. */
                current: boolean;
                /** @description When it ends by itself. */
                expires_at: components["schemas"]["Ms"];
                id: components["schemas"]["SessionId"];
                /** @description When it was last refreshed. */
                last_used_at: components["schemas"]["Ms"];
                /** @description By which program. */
                user_agent: string;
            }[];
            /** @description To be given as `page_token` for the next page; null: there is none. */
            next_page_token?: string | null;
        };
        /** @description One page of a list. */
        Page_Snapshot: {
            /** @description The items of this page. */
            items: {
                created_at: components["schemas"]["Ms"];
                description: string;
                /** @description With the guest's memory. */
                memory: boolean;
                name: string;
                /** @description The one before it. */
                parent?: string | null;
                /** @description creating, ready or deleting */
                state: components["schemas"]["SnapshotState"];
            }[];
            /** @description To be given as `page_token` for the next page; null: there is none. */
            next_page_token?: string | null;
        };
        /** @description One page of a list. */
        Page_Tenant: {
            /** @description The items of this page. */
            items: {
                /** @description Whom to write to; null: its owners. */
                contact_email?: string | null;
                created_at: components["schemas"]["Ms"];
                /** @description Where pods go that name neither a region nor a server; null: anywhere. */
                default_region?: string | null;
                id: components["schemas"]["TenantId"];
                name: string;
                state: components["schemas"]["TenantState"];
                suspension?: components["schemas"]["TenantSuspension"] | null;
                updated_at: components["schemas"]["Ms"];
                /**
                 * Format: int64
                 * @description As in the header `ETag`. Its quotas have the same.
                 */
                version: number;
            }[];
            /** @description To be given as `page_token` for the next page; null: there is none. */
            next_page_token?: string | null;
        };
        /** @description One page of a list. */
        Page_User: {
            /** @description The items of this page. */
            items: {
                account_suspended_at?: components["schemas"]["Ms"] | null;
                email: string;
                id: components["schemas"]["UserId"];
                joined_at: components["schemas"]["Ms"];
                last_sign_in_at?: components["schemas"]["Ms"] | null;
                name: string;
                role: components["schemas"]["Role"];
                state: components["schemas"]["UserState"];
                suspended_at?: components["schemas"]["Ms"] | null;
                /** @description Where they are what `role` says. */
                tenant_id: components["schemas"]["TenantId"];
                tenant_name: string;
                /**
                 * Format: int64
                 * @description As in the header `ETag`.
                 */
                version: number;
            }[];
            /** @description To be given as `page_token` for the next page; null: there is none. */
            next_page_token?: string | null;
        };
        /** @description One page of a list. */
        Page_Webhook: {
            /** @description The items of this page. */
            items: {
                /** @description Whether events are sent. */
                active: boolean;
                created_at: components["schemas"]["Ms"];
                /** @description Why it was made inactive, where nobody asked for it. */
                disabled_reason?: string | null;
                /**
                 * Format: int64
                 * @description Events that were not sent because 10,000 deliveries waited already, since the webhook was last made active.
                 */
                dropped: number;
                dropped_since?: components["schemas"]["Ms"] | null;
                /** @description Which events: `cloudpod.created`, or `cloudpod.*` for all of a noun. None: all. */
                events: string[];
                failing_since?: components["schemas"]["Ms"] | null;
                id: components["schemas"]["WebhookId"];
                name: string;
                tenant_id?: components["schemas"]["TenantId"] | null;
                tenant_name?: string | null;
                updated_at: components["schemas"]["Ms"];
                url: string;
                /**
                 * Format: int64
                 * @description As in the header `ETag`.
                 */
                version: number;
            }[];
            /** @description To be given as `page_token` for the next page; null: there is none. */
            next_page_token?: string | null;
        };
        /** @description One page of a list. */
        Page_WebhookDelivery: {
            /** @description The items of this page. */
            items: {
                /**
                 * Format: int32
                 * @description Tries so far.
                 */
                attempt: number;
                created_at: components["schemas"]["Ms"];
                event: string;
                finished_at?: components["schemas"]["Ms"] | null;
                id: components["schemas"]["DeliveryId"];
                /** @description The header `webhook-id`, the same for every try. */
                message_id: string;
                next_at?: components["schemas"]["Ms"] | null;
                /** @description `pending`, `delivered` or `failed`. */
                state: string;
            }[];
            /** @description To be given as `page_token` for the next page; null: there is none. */
            next_page_token?: string | null;
        };
        /** @description Something that it needs for its work. */
        Part: {
            /** @description What it is, or what is wrong. */
            detail: string;
            /** @description `database`, `agents`, `shutdown`. */
            name: string;
            /** @description Whether it is as it should be. */
            ready: boolean;
        };
        /** @description Another password. */
        PasswordChange: {
            /** @description The present one. */
            current_password: string;
            /** @description Ends one's API tokens too: somebody else may know the present password. */
            end_tokens?: boolean;
            /** @description The one from now on: 12 to 256 characters. */
            new_password: string;
        };
        /** @description Whose password is forgotten. */
        PasswordForgotten: {
            /** @description Their address. */
            email: string;
        };
        /** @description Another password, by a link. */
        PasswordReset: {
            /** @description The password from now on: 12 to 256 characters. */
            password: string;
            /** @description What stands after `#` in the link. */
            secret: string;
        };
        /**
         * @description Something that a caller has to be allowed to do: `module:read`, `module:write` or `module:manage`
         * @enum {string}
         */
        Permission: "account:read" | "account:write" | "tokens:read" | "tokens:write" | "tokens:manage" | "users:read" | "users:write" | "users:manage" | "tenants:read" | "tenants:write" | "tenants:manage" | "customers:read" | "customers:write" | "audit:read" | "audit:manage" | "events:read" | "webhooks:read" | "webhooks:write" | "cloudpods:read" | "cloudpods:write" | "cloudpods:manage" | "provisioning:read" | "provisioning:write" | "provisioning:manage" | "servers:read" | "servers:write" | "servers:manage" | "plans:read" | "plans:write" | "images:read" | "images:write" | "ip_pools:read" | "ip_pools:write" | "drift:read" | "drift:write" | "invariants:read" | "metrics:read" | "openapi:read";
        /**
         * @description Which way a step is taken.
         * @enum {string}
         */
        Phase: "do" | "undo";
        /** @description Where a pod was placed, and why there. */
        Placement: {
            /** @description When it was decided. */
            decided_at: components["schemas"]["Ms"];
            explanation?: components["schemas"]["Explanation"] | null;
            /** @description Where its server stands; null: it went nowhere. */
            region?: string | null;
            server?: components["schemas"]["ServerId"] | null;
        };
        /** @description Where a pod would go. */
        PlacementDecision: {
            explanation: components["schemas"]["Explanation"];
            server?: components["schemas"]["Named_ServerId"] | null;
            storage?: string | null;
        };
        /** @description Whether a CloudPod would fit at present. */
        PlacementFit: {
            fits: boolean;
            /** @description Why it fits or does not, and what may help. */
            reason: string;
            /** @description Where it would go; null: it would not fit. */
            region?: string | null;
        };
        /** @description A pod that is only thought of. */
        PlacementPreview: {
            /** @description The image's id or name. */
            image: string;
            /** @description Where it may go; left out: anywhere. */
            placement?: components["schemas"]["CloudPodPlacement"];
            /** @description The plan's id or name. */
            plan: string;
        };
        /** @description A size and a price. */
        Plan: {
            /** @description Whether new pods may be made of it. */
            active: boolean;
            created_at: components["schemas"]["Ms"];
            /** @description ISO 4217. */
            currency: string;
            /** Format: int64 */
            disk_gib: number;
            id: components["schemas"]["PlanId"];
            /** Format: int64 */
            memory_mib: number;
            name: string;
            /**
             * Format: int64
             * @description A month, in minor units of the currency (cents).
             */
            price_minor: number;
            /**
             * Format: int64
             * @description A month; null: not limited.
             */
            traffic_gib?: number | null;
            updated_at: components["schemas"]["Ms"];
            /** Format: int32 */
            vcpu: number;
            /**
             * Format: int64
             * @description As in the header `ETag`.
             */
            version: number;
        };
        /** @description A plan to be made. */
        PlanCreate: {
            active?: boolean;
            /** @description ISO 4217; EUR when left out. */
            currency?: string;
            /** Format: int64 */
            disk_gib: number;
            /** Format: int64 */
            memory_mib: number;
            /** @example small */
            name: string;
            /**
             * Format: int64
             * @description A month, in minor units of the currency (cents).
             */
            price_minor?: number;
            /**
             * Format: int64
             * @description A month; not limited when left out.
             */
            traffic_gib?: number | null;
            /** Format: int32 */
            vcpu: number;
        };
        /**
         * Format: uuid
         * @description A size and a price.
         */
        PlanId: string;
        /** @description A change of a plan; what is left out stays. Pods that were made of it stay as they are. */
        PlanPatch: {
            active?: boolean | null;
            currency?: string | null;
            /** Format: int64 */
            disk_gib?: number | null;
            /** Format: int64 */
            memory_mib?: number | null;
            name?: string | null;
            /** Format: int64 */
            price_minor?: number | null;
            /**
             * Format: int64
             * @description Null: not limited.
             */
            traffic_gib?: number | null;
            /** Format: int32 */
            vcpu?: number | null;
        };
        /** @description The fleet at a glance. */
        PlatformOverview: {
            /** @description Of all servers together, whatever their state; a storage that several servers share counts once. */
            capacity: components["schemas"]["CapacityRoom"];
            /** @description At most 12, the fullest first: by the highest of their three shares, then by name. */
            fullest: components["schemas"]["FullServer"][];
            /** @description How many there are, and how they are. */
            servers: components["schemas"]["ServerCounts"];
        };
        /**
         * @description Where a pod of a drain is.
         * @enum {string}
         */
        PodState: "planned" | "moving" | "moved" | "gone" | "blocked" | "left";
        /**
         * @description The power state of a VM.
         * @enum {string}
         */
        Power: "unknown" | "running" | "stopped" | "paused";
        /** @description The body of every answer that is an error (RFC 9457). */
        Problem: {
            /** @description Stable, for programs. */
            code: string;
            /** @description What is wrong and what to do about it. */
            detail: string;
            /** @description What is wrong field by field; for `no_capacity`, why server by server; for `no_addresses`, pool by pool. */
            errors?: components["schemas"]["ProblemField"][];
            /** @description To be quoted when asking for help: the log has it beside the cause. */
            request_id: string;
            /**
             * Format: int32
             * @description The HTTP status.
             */
            status: number;
            /** @description The status in words. */
            title: string;
            /** @description Names the kind of problem: `urn:mpanel:problem:` and the code. */
            type: string;
        };
        /** @description What is wrong with one field, or why one server cannot take it. */
        ProblemField: {
            /** @description The field's path as the caller wrote it, or the server's name. */
            field: string;
            /** @description What is wrong and what would be right. */
            message: string;
        };
        /** @description Where people can sign in. */
        Providers: {
            items: components["schemas"]["OidcProvider"][];
        };
        /** @description How much is queued. */
        QueueView: {
            /** Format: int64 */
            queued: number;
            /** Format: int64 */
            running: number;
            /**
             * Format: int64
             * @description Undos that cannot finish: each needs somebody to look at it, then `retry`.
             */
            stuck: number;
            /** Format: int64 */
            undoing: number;
        };
        /** @description Whether it can do its work. */
        Readiness: {
            /** @description What it needs for its work. */
            parts: components["schemas"]["Part"][];
            /** @description Whether all parts are. */
            ready: boolean;
        };
        /** @description For when the authenticator is lost. */
        RecoveryCodes: {
            /** @description Each works once, in place of a code. They are not shown again. */
            recovery_codes: string[];
        };
        /** @description How a refresh token is shown by programs; a browser shows its cookie. */
        Refresh: {
            /** @description The newest refresh token. */
            refresh_token?: string | null;
        };
        /** @description Where CloudPods can be. */
        Region: {
            name: string;
        };
        /** @description A reason in words. */
        Rejection: {
            /** @description Stable, for programs: `memory`, `storage_full`, …. */
            code: string;
            /** @description For people, with the figures. */
            text: string;
        };
        /** @description What reservations hold of a server. */
        Reserved: {
            /**
             * Format: int64
             * @description Memory in MiB.
             */
            memory_mib: number;
            /**
             * Format: int64
             * @description Pods.
             */
            pods: number;
            /**
             * Format: int64
             * @description Virtual CPUs.
             */
            vcpu: number;
        };
        /**
         * @description What somebody is in a tenant. The order is the rank: nobody gives away more than they are.
         * @enum {string}
         */
        Role: "MEMBER" | "BILLING" | "ADMIN" | "OWNER";
        /**
         * @description Whether anything may be placed on a server.
         * @enum {string}
         */
        SchedulingState: "online" | "locked" | "draining";
        SchedulingView: {
            deadline?: components["schemas"]["Ms"] | null;
            reason: string;
            since: components["schemas"]["Ms"];
            state: components["schemas"]["SchedulingState"];
        };
        /**
         * @description How well a server suits a pod, among those that fit. The order of the fields is their priority; smaller is better.
         *
         *     Packing is best-fit with an eye on both resources: a server is preferred the less it has left afterwards, and the
         *     more the pod evens out what is left of its CPU and its memory, so that no server ends with one of them stranded. On
         *     synthetic mixes with arrivals and departures this placed more before the first refusal than first-fit, plain best-fit,
         *     the 10^free formula or cosine alignment, and never less.
         */
        Score: {
            /**
             * @description A pod of the same tenant is there already: one host's failure should not take all of a tenant's pods. A yes or no
             *     and no count, because a count would spread a large tenant evenly over all servers and leave no room for large pods.
             */
            beside_own: boolean;
            /**
             * Format: int64
             * @description How lopsided the pod makes what is left, plus half of what is left, in millionths of the server.
             */
            packing_ppm: number;
        };
        /** @description A registered Proxmox VE host. */
        Server: {
            /** @description The storage that backups of its pods go to when a request names none; null: each has to name one. */
            backup_storage?: string | null;
            /** @description The bridge that pods are attached to. */
            bridge: string;
            capacity: components["schemas"]["CapacityView"];
            certificate?: components["schemas"]["AgentCertificate"] | null;
            /** @description Whether its agent is there. */
            connection: components["schemas"]["ConnectionView"];
            /**
             * Format: double
             * @description Virtual CPUs per thread.
             */
            cpu_overcommit: number;
            /**
             * Format: int32
             * @description The operator's limit; null: as the agent reports.
             */
            cpu_threads?: number | null;
            created_at: components["schemas"]["Ms"];
            /**
             * Format: int64
             * @description How often it was declared lost.
             */
            generation: number;
            /** @description What its agent told. */
            host: components["schemas"]["HostView"];
            id: components["schemas"]["ServerId"];
            labels: {
                [key: string]: string;
            };
            load?: components["schemas"]["LoadView"] | null;
            lost_at?: components["schemas"]["Ms"] | null;
            /**
             * Format: int64
             * @description The operator's limit; null: as the agent reports.
             */
            memory_mib?: number | null;
            name: string;
            /**
             * Format: int32
             * @description Null: no limit.
             */
            pod_limit?: number | null;
            /** @description What is wrong with it; null: nothing known. */
            problem?: string | null;
            region: string;
            reserved: components["schemas"]["Reserved"];
            /** @description What the operator wants of it. */
            scheduling: components["schemas"]["SchedulingView"];
            storages: components["schemas"]["StorageView"][];
            updated_at: components["schemas"]["Ms"];
            /**
             * Format: int64
             * @description As in the header `ETag`.
             */
            version: number;
            /** Format: int32 */
            vmid_max: number;
            /** Format: int32 */
            vmid_min: number;
            /** @description The space that VMIDs are unique in: the Proxmox cluster's name or, outside a cluster, the server's id. */
            vmid_space: string;
            /**
             * Format: int64
             * @description Jobs that wait for its agent: `/api/platform/provisioning/jobs?waits_for=` with its id lists them.
             */
            waiting_jobs: number;
        };
        /** @description How many servers there are. */
        ServerCounts: {
            /** @description By whether their agents are there. */
            by_connection: components["schemas"]["ServersByConnection"];
            /** @description By what the operator wants of them. */
            by_scheduling: components["schemas"]["ServersByScheduling"];
            /**
             * Format: int64
             * @description All.
             */
            total: number;
        };
        /** @description A server to be registered. */
        ServerCreate: {
            /**
             * @description The storage that backups go to when a request names none.
             * @example backups
             */
            backup_storage?: string | null;
            /** @description The bridge that pods are attached to; `vmbr0` when left out. */
            bridge?: string | null;
            /**
             * Format: double
             * @description Virtual CPUs per thread; 1 when left out.
             */
            cpu_overcommit?: number | null;
            /**
             * Format: int32
             * @description Threads to count with; as the agent reports when left out.
             */
            cpu_threads?: number | null;
            /** @description At most 32. */
            labels?: {
                [key: string]: string;
            };
            /**
             * Format: int64
             * @description Memory for pods; as the agent reports when left out.
             */
            memory_mib?: number | null;
            /**
             * @description Unique; 1 to 63 letters, digits, `.`, `_` or `-`.
             * @example pve-1
             */
            name: string;
            /**
             * Format: int32
             * @description The most pods; no limit when left out.
             */
            pod_limit?: number | null;
            /** @description Where it stands; `default` when left out. */
            region?: string | null;
            /** @description The storages that pods may be placed on. */
            storages?: components["schemas"]["StorageOffer"][];
            /**
             * Format: int32
             * @description The highest; 999999 when left out.
             */
            vmid_max?: number | null;
            /**
             * Format: int32
             * @description The lowest VMID for pods; 10000 when left out.
             */
            vmid_min?: number | null;
        };
        /** @description A registered server, and what to paste on its host. */
        ServerCreated: {
            enrolment: components["schemas"]["EnrolmentCommand"];
            server: components["schemas"]["Server"];
        };
        /** @description A declaration that a host will not come back. */
        ServerDeclareLost: {
            /**
             * @description The server's name, typed.
             * @example pve1
             */
            confirm: string;
            /**
             * @description Why; kept in the audit.
             * @example mainboard burnt, disks gone
             */
            reason: string;
        };
        /** @description What a declaration did. */
        ServerDeclaredLost: {
            /** @description Pods that were on it: failed now, holding their addresses alone. */
            cloudpods: number;
            /** @description What comes next, for people. */
            detail: string;
            /** Format: int64 */
            generation: number;
            /**
             * Format: int64
             * @description Jobs that waited for it: they end now.
             */
            jobs: number;
            name: string;
            server_id: components["schemas"]["ServerId"];
        };
        /** @description Samples of a server's health, oldest first. */
        ServerHealth: {
            /** @description A step in which nothing was heard has none. */
            items: components["schemas"]["HealthSample"][];
            /**
             * Format: int32
             * @description How long the step of each item is, in seconds; null: each item is one sample.
             */
            step_s?: number | null;
            /** @description There are older ones in the time that was asked for: ask again with `until` set to the first one's `at`. */
            truncated: boolean;
        };
        /**
         * Format: uuid
         * @description A registered Proxmox VE host.
         */
        ServerId: string;
        /** @description A change of a server; what is left out stays, `null` takes a limit away. */
        ServerPatch: {
            /** @description The storage that backups go to when a request names none. */
            backup_storage?: string | null;
            bridge?: string | null;
            /** Format: double */
            cpu_overcommit?: number | null;
            /** Format: int32 */
            cpu_threads?: number | null;
            /** @description All labels anew. */
            labels?: {
                [key: string]: string;
            } | null;
            /** Format: int64 */
            memory_mib?: number | null;
            name?: string | null;
            /** Format: int32 */
            pod_limit?: number | null;
            region?: string | null;
            /** @description All offered storages anew. What is left out is offered no more; what is on it stays. */
            storages?: components["schemas"]["StorageOffer"][] | null;
            /** Format: int32 */
            vmid_max?: number | null;
            /** Format: int32 */
            vmid_min?: number | null;
        };
        /** @description What a change of status came to. */
        ServerStatus: {
            /** @description What happens now, and what does not. */
            detail: string;
            drain?: components["schemas"]["Drain"] | null;
            server: components["schemas"]["Server"];
        };
        /** @description What is wanted of a server from now on. */
        ServerStatusChange: {
            /** @description For a drain: whether guests of VMs that cannot be moved while they run may be asked to shut down. They are started again. */
            allow_shutdown?: boolean;
            deadline?: components["schemas"]["Ms"] | null;
            /** @description For `online`: whether the pods come back that drains have moved away since it was last open. */
            fill_back?: boolean;
            /** @description Why; shown with the state. */
            reason?: string;
            /**
             * Format: int64
             * @description How long a guest gets for that, in seconds.
             * @default 180
             */
            shutdown_s?: number | null;
            status: components["schemas"]["SchedulingState"];
        };
        /** @description Servers by whether their agents are there; each is in one of them. */
        ServersByConnection: {
            /**
             * Format: int64
             * @description Their agents are not heard.
             */
            offline: number;
            /**
             * Format: int64
             * @description Their agents are heard.
             */
            online: number;
            /**
             * Format: int64
             * @description No agent ever came.
             */
            pending: number;
            /**
             * Format: int64
             * @description Their agents hold sessions and have not been heard for two heartbeats.
             */
            suspect: number;
        };
        /** @description Servers by what the operator wants of them. */
        ServersByScheduling: {
            /**
             * Format: int64
             * @description Nothing new; what runs is to go elsewhere.
             */
            draining: number;
            /**
             * Format: int64
             * @description Nothing new; what runs stays.
             */
            locked: number;
            /**
             * Format: int64
             * @description Open to new pods.
             */
            online: number;
        };
        /** @description A sign-in that stands. */
        Session: {
            /** @description From where it was last refreshed. */
            address: string;
            created_at: components["schemas"]["Ms"];
            /** @description Whether it is the one that asks. */
            current: boolean;
            /** @description When it ends by itself. */
            expires_at: components["schemas"]["Ms"];
            id: components["schemas"]["SessionId"];
            /** @description When it was last refreshed. */
            last_used_at: components["schemas"]["Ms"];
            /** @description By which program. */
            user_agent: string;
        };
        /**
         * Format: uuid
         * @description What one sign-in began.
         */
        SessionId: string;
        /** @description Who somebody says that they are, and what shows it. */
        SignIn: {
            /** @description The tokens come as cookies for a browser and not in the answer. */
            cookies?: boolean;
            /** @description Their address. */
            email: string;
            /** @description Their password. */
            password: string;
            /** @description Instead of it a recovery code, which works once. */
            recovery_code?: string | null;
            /** @description The present code of their authenticator, if they have one. */
            totp_code?: string | null;
        };
        /** @description A person. */
        SignedInPerson: {
            email: string;
            id: components["schemas"]["UserId"];
            name: string;
            /**
             * Format: int64
             * @description How many recovery codes are left.
             */
            recovery_codes_left: number;
            /** @description Whether a second factor is asked for. */
            totp_enabled: boolean;
        };
        /** @description A snapshot of a CloudPod. */
        Snapshot: {
            created_at: components["schemas"]["Ms"];
            description: string;
            /** @description With the guest's memory. */
            memory: boolean;
            name: string;
            /** @description The one before it. */
            parent?: string | null;
            /** @description creating, ready or deleting */
            state: components["schemas"]["SnapshotState"];
        };
        /** @description A snapshot to be taken. */
        SnapshotCreate: {
            /** @description For people. */
            description?: string;
            /** @description The guest's memory too: going back to it, the guest goes on where it was. */
            memory?: boolean;
            /**
             * @description 2 to 40 letters, digits, `_` or `-`, beginning with a letter; not `current`.
             * @example before-upgrade
             */
            name: string;
        };
        /**
         * @description The life of a snapshot: creating → ready → deleting, and gone.
         * @enum {string}
         */
        SnapshotState: "creating" | "ready" | "deleting";
        /** @description A step of a job. */
        StepView: {
            /** Format: int32 */
            attempt: number;
            /** @description What it did, or why it failed. */
            detail: string;
            finished_at?: components["schemas"]["Ms"] | null;
            name: string;
            started_at?: components["schemas"]["Ms"] | null;
            /** @description `pending`, `running`, `done`, `failed`, `undoing` or `undone`. */
            state: string;
        };
        /** @description A storage that pods may be placed on. */
        StorageOffer: {
            /**
             * Format: int64
             * @description What may be reserved of it; as the agent reports when left out.
             */
            disk_gib?: number | null;
            /**
             * @description Proxmox's id of it.
             * @example local-lvm
             */
            name: string;
        };
        /** @description One storage of a server. */
        StorageView: {
            active: boolean;
            /**
             * Format: int64
             * @description What may be reserved in all.
             */
            capacity_gib: number;
            /**
             * Format: int64
             * @description The operator's limit; null: as the agent reports.
             */
            disk_gib?: number | null;
            /** @description Proxmox's type, such as `lvmthin`. */
            kind: string;
            name: string;
            /** @description Whether pods may be placed on it. */
            offered: boolean;
            /** Format: int64 */
            reserved_gib: number;
            /**
             * Format: int64
             * @description Null: not seen yet.
             */
            seen_total_gib?: number | null;
            /**
             * Format: int64
             * @description Null: not seen yet.
             */
            seen_used_gib?: number | null;
            /** @description The same on all nodes of the cluster. */
            shared: boolean;
        };
        /**
         * Format: uuid
         * @description Something that a customer pays again and again.
         */
        SubscriptionId: string;
        /** @description A customer account. */
        Tenant: {
            /** @description Whom to write to; null: its owners. */
            contact_email?: string | null;
            created_at: components["schemas"]["Ms"];
            /** @description Where pods go that name neither a region nor a server; null: anywhere. */
            default_region?: string | null;
            id: components["schemas"]["TenantId"];
            name: string;
            state: components["schemas"]["TenantState"];
            suspension?: components["schemas"]["TenantSuspension"] | null;
            updated_at: components["schemas"]["Ms"];
            /**
             * Format: int64
             * @description As in the header `ETag`. Its quotas have the same.
             */
            version: number;
        };
        /** @description A tenant to be made. */
        TenantCreate: {
            /** @description Whom to write to; its owners when left out. */
            contact_email?: string | null;
            /** @description Where pods go that name neither a region nor a server. */
            default_region?: string | null;
            /**
             * @description Unique.
             * @example acme
             */
            name: string;
            /** @description How much it may use; unlimited when left out. */
            quotas?: components["schemas"]["TenantLimits"];
        };
        /**
         * Format: uuid
         * @description A hosting company's customer account: the boundary of all customer data.
         */
        TenantId: string;
        /** @description At most so much of each; null or left out: unlimited. */
        TenantLimits: {
            /** Format: int64 */
            addresses?: number | null;
            /** Format: int64 */
            backups?: number | null;
            /** Format: int64 */
            disk_gib?: number | null;
            /** Format: int64 */
            memory_mib?: number | null;
            /** Format: int64 */
            pods?: number | null;
            /** Format: int64 */
            snapshots?: number | null;
            /** Format: int64 */
            vcpu?: number | null;
        };
        /** @description A change of a tenant's settings; what is left out stays. */
        TenantPatch: {
            /** @description Null: its owners. */
            contact_email?: string | null;
            /** @description Null: anywhere. */
            default_region?: string | null;
            /** @description Takes the permission tenants:manage. */
            name?: string | null;
        };
        /** @description One quota. */
        TenantQuota: {
            /**
             * Format: int64
             * @description At most so much; null: unlimited.
             */
            limit?: number | null;
            /**
             * Format: int64
             * @description So much is used. It may be above the limit when that was lowered: then nothing is added.
             */
            used: number;
        };
        /** @description How much a tenant may use, and uses. Its version, as in the header `ETag`, is the tenant's. */
        TenantQuotas: {
            /** @description Addresses that pods hold. */
            addresses: components["schemas"]["TenantQuota"];
            /** @description Backups, those of deleted pods too. */
            backups: components["schemas"]["TenantQuota"];
            /** @description Disks of all pods, in GiB. */
            disk_gib: components["schemas"]["TenantQuota"];
            /** @description Memory of all pods, in MiB. */
            memory_mib: components["schemas"]["TenantQuota"];
            /** @description Pods that are not deleted. */
            pods: components["schemas"]["TenantQuota"];
            /** @description Snapshots of all pods. */
            snapshots: components["schemas"]["TenantQuota"];
            /** @description Virtual CPUs of all pods. */
            vcpu: components["schemas"]["TenantQuota"];
        };
        /** @description A change of quotas; what is left out stays, null: unlimited. */
        TenantQuotasPatch: {
            /** Format: int64 */
            addresses?: number | null;
            /** Format: int64 */
            backups?: number | null;
            /** Format: int64 */
            disk_gib?: number | null;
            /** Format: int64 */
            memory_mib?: number | null;
            /** Format: int64 */
            pods?: number | null;
            /** Format: int64 */
            snapshots?: number | null;
            /** Format: int64 */
            vcpu?: number | null;
        };
        /**
         * @description Whether a tenant's people may do what their roles say.
         * @enum {string}
         */
        TenantState: "active" | "suspended";
        /** @description Why a tenant is suspended. */
        TenantSuspend: {
            /**
             * @description Its people read this.
             * @example two invoices are overdue
             */
            reason: string;
        };
        /** @description Why and since when a tenant is suspended. */
        TenantSuspension: {
            /** @description In the words of whoever suspended it. */
            reason: string;
            /** @description Since when. */
            since: components["schemas"]["Ms"];
        };
        /**
         * Format: uuid
         * @description A bearer token of the API.
         */
        TokenId: string;
        /** @description What carries the next requests. */
        Tokens: {
            /** @description When the access token ends. */
            access_expires_at: components["schemas"]["Ms"];
            /** @description For `Authorization: Bearer`; left out where it is a cookie. */
            access_token?: string | null;
            /** @description With cookies: what the header X-CSRF-Token has to say in requests that change something. */
            csrf_token?: string | null;
            /** @description When the sign-in ends, however often it is refreshed. */
            expires_at: components["schemas"]["Ms"];
            /** @description For the next access token, once; left out where it is a cookie. */
            refresh_token?: string | null;
            /** @description Which sign-in this is. */
            session_id: components["schemas"]["SessionId"];
            /** @description Who signed in. */
            user_id: components["schemas"]["UserId"];
        };
        /** @description That the authenticator has it. */
        TotpConfirm: {
            /** @description Its present code. */
            code: string;
        };
        /** @description That it is really the person who asks, in both ways. */
        TotpDisable: {
            /** @description The present password. */
            password: string;
            /** @description Instead of it a recovery code. */
            recovery_code?: string | null;
            /** @description The authenticator's present code. */
            totp_code?: string | null;
        };
        /** @description That it is really the person who asks. */
        TotpEnrol: {
            /** @description The present password. */
            password: string;
        };
        /** @description What an authenticator needs. */
        TotpEnrolment: {
            /** @description Base32, to type in. */
            secret: string;
            /** @description `otpauth://…`, to show as a QR code. */
            uri: string;
        };
        /** @description A person as a member of a tenant. */
        User: {
            account_suspended_at?: components["schemas"]["Ms"] | null;
            email: string;
            id: components["schemas"]["UserId"];
            joined_at: components["schemas"]["Ms"];
            last_sign_in_at?: components["schemas"]["Ms"] | null;
            name: string;
            role: components["schemas"]["Role"];
            state: components["schemas"]["UserState"];
            suspended_at?: components["schemas"]["Ms"] | null;
            /** @description Where they are what `role` says. */
            tenant_id: components["schemas"]["TenantId"];
            tenant_name: string;
            /**
             * Format: int64
             * @description As in the header `ETag`.
             */
            version: number;
        };
        /**
         * Format: uuid
         * @description A person.
         */
        UserId: string;
        /** @description What somebody is to be. */
        UserRolePatch: {
            role: components["schemas"]["Role"];
        };
        /**
         * @description Whether somebody may come in.
         * @enum {string}
         */
        UserState: "active" | "suspended";
        /** @description What was thought of one server. */
        Verdict: {
            /** @description What spoke for it; smaller is better. */
            score: components["schemas"]["Score"];
            /** @description On this storage. */
            storage: string;
            /** @enum {string} */
            verdict: "chosen";
        } | {
            /** @description What spoke for it; smaller is better. */
            score: components["schemas"]["Score"];
            /** @enum {string} */
            verdict: "fits";
        } | {
            /** @description Every reason. */
            reasons: components["schemas"]["Rejection"][];
            /** @enum {string} */
            verdict: "rejected";
        };
        /** @description What a job waits for. */
        WaitsFor: {
            /** @description For people. */
            detail: string;
            server_id?: components["schemas"]["ServerId"] | null;
        };
        /** @description Where events are sent. */
        Webhook: {
            /** @description Whether events are sent. */
            active: boolean;
            created_at: components["schemas"]["Ms"];
            /** @description Why it was made inactive, where nobody asked for it. */
            disabled_reason?: string | null;
            /**
             * Format: int64
             * @description Events that were not sent because 10,000 deliveries waited already, since the webhook was last made active.
             */
            dropped: number;
            dropped_since?: components["schemas"]["Ms"] | null;
            /** @description Which events: `cloudpod.created`, or `cloudpod.*` for all of a noun. None: all. */
            events: string[];
            failing_since?: components["schemas"]["Ms"] | null;
            id: components["schemas"]["WebhookId"];
            name: string;
            tenant_id?: components["schemas"]["TenantId"] | null;
            tenant_name?: string | null;
            updated_at: components["schemas"]["Ms"];
            url: string;
            /**
             * Format: int64
             * @description As in the header `ETag`.
             */
            version: number;
        };
        /** @description A try. */
        WebhookAttempt: {
            /** @description How the answer begins. */
            answer: string;
            at: components["schemas"]["Ms"];
            /** Format: int32 */
            attempt: number;
            /** @description Why it failed; null: it was taken. */
            error?: string | null;
            /**
             * Format: int32
             * @description The HTTP status of the answer; null: none came.
             */
            status?: number | null;
            /** Format: int64 */
            took_ms: number;
        };
        /** @description A webhook to be made. */
        WebhookCreate: {
            /** @description Which events: `cloudpod.created`, or `cloudpod.*` for all of a noun. None: all. */
            events?: string[];
            /** @example billing */
            name: string;
            /** @example https://hooks.example.com/mpanel */
            url: string;
        };
        /** @description A webhook that was made, and its secret, which is shown this once. */
        WebhookCreated: {
            /** @description `whsec_` and the key in base64. */
            secret: string;
            webhook: components["schemas"]["Webhook"];
        };
        /** @description A message to the receiver. */
        WebhookDelivery: {
            /**
             * Format: int32
             * @description Tries so far.
             */
            attempt: number;
            created_at: components["schemas"]["Ms"];
            event: string;
            finished_at?: components["schemas"]["Ms"] | null;
            id: components["schemas"]["DeliveryId"];
            /** @description The header `webhook-id`, the same for every try. */
            message_id: string;
            next_at?: components["schemas"]["Ms"] | null;
            /** @description `pending`, `delivered` or `failed`. */
            state: string;
        };
        /** @description A message with what was sent and what came of it. */
        WebhookDeliveryDetail: {
            attempts: components["schemas"]["WebhookAttempt"][];
            /** @description What was signed and sent. */
            body: string;
            delivery: components["schemas"]["WebhookDelivery"];
        };
        /**
         * Format: uuid
         * @description Where events are sent.
         */
        WebhookId: string;
        /** @description A change; what is left out stays. */
        WebhookPatch: {
            active?: boolean | null;
            events?: string[] | null;
            name?: string | null;
            url?: string | null;
        };
        /** @description A new secret, which is shown this once. */
        WebhookSecret: {
            /** @description Until then messages are signed with the others too. */
            others_until: components["schemas"]["Ms"];
            /** @description `whsec_` and the key in base64. */
            secret: string;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export type operations = Record<string, never>;
