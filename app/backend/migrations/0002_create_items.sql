-- What each user has a list of. Deleting a user deletes the list.
create table items (
    id          uuid primary key,
    owner_id    uuid not null,
    title       text not null,
    description text,
    created_at  timestamptz not null default now(),
    updated_at  timestamptz not null default now(),
    constraint items_owner_exists foreign key (owner_id) references users (id) on delete cascade,
    constraint items_title_length check (char_length(title) between 1 and 255),
    constraint items_description_length check (char_length(description) <= 2000)
);

-- The list: one user's items, newest first. Also serves the foreign key.
create index items_owner_newest on items (owner_id, id desc);
