-- Who may log in.
--
-- Ids are UUIDs of version 7, made by the API: their order is that of creation, on any release of PostgreSQL.
-- The limits are checked by the API too, which can name every fault at once. They stand here as well,
-- since other programs write to this database; the API knows these constraints by their names.
create table users (
    id             uuid primary key,
    -- Trimmed and in lower case, so that two spellings are one user.
    email          text not null,
    full_name      text,
    -- As a PHC string: it names its own algorithm and parameters.
    password_hash  text not null,
    is_active      boolean not null default true,
    is_superuser   boolean not null default false,
    -- A token is valid as long as it holds this number: it grows when all tokens of the user shall die.
    token_version  bigint not null default 0,
    -- When the last link for a new password was mailed: nobody's mailbox is to be filled.
    link_mailed_at timestamptz,
    created_at     timestamptz not null default now(),
    constraint users_email_unique unique (email),
    constraint users_email_length check (char_length(email) between 3 and 254),
    constraint users_full_name_length check (char_length(full_name) between 1 and 255)
);
