-- What the first page lists. The newest item comes first, so the order is that of the primary key.
--
-- The limits are checked by the API too, which can name every fault at once. They stand here as well,
-- since other programs write to this database; the API knows these constraints by their names.
create table items (
    id          bigint generated always as identity primary key,
    title       text not null,
    description text,
    created_at  timestamptz not null default now(),
    constraint items_title_length check (char_length(title) between 1 and 255),
    constraint items_description_length check (char_length(description) <= 2000)
);
