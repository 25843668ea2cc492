begin;
select plan(13);

select throws_ok(
  format(
    $$insert into auth.api_key (organization_id, scopes, digest, name) values (%L, %L, %s, %L)$$, organization('alice'),
    c.scopes, c.digest, c.name
  ),
  c.sqlstate, c.message, c.message
)
from (values
  (
    '{write}', 'sha256(''a'')', null, '23514',
    'new row for relation "api_key" violates check constraint "api_key_scopes_are_a_level"'
  ),
  (
    '{write,read}', 'sha256(''a'')', null, '23514',
    'new row for relation "api_key" violates check constraint "api_key_scopes_are_a_level"'
  ),
  (
    '{}', 'sha256(''a'')', null, '23514',
    'new row for relation "api_key" violates check constraint "api_key_scopes_are_a_level"'
  ),
  (
    '{read,write,admin,root}', 'sha256(''a'')', null, '23514',
    'new row for relation "api_key" violates check constraint "api_key_scopes_are_a_level"'
  ),
  (
    '{read}', '''a''', null, '23514',
    'new row for relation "api_key" violates check constraint "api_key_digest_has_32_bytes"'
  ),
  (
    '{read}', 'sha256(''a'')', ' ', '23514',
    'new row for relation "api_key" violates check constraint "api_key_name_is_text_of_1_to_255"'
  ),
  (
    '{read}', '(select digest from auth.api_key limit 1)', null, '23505',
    'duplicate key value violates unique constraint "api_key_digest_is_unique"'
  )
) as c (scopes, digest, name, sqlstate, message);
select throws_ok(
  format(
    $$insert into auth.api_key (organization_id, scopes, digest, rotated_from) values (%L, '{read}', sha256('a'), %L)$$,
    organization('alice'), key_id('bob')
  ),
  '23503', 'insert or update on table "api_key" violates foreign key constraint "api_key_rotated_from_is_api_key"',
  'a key doesn''t come from another organization''s'
);
select lives_ok(
  format(
    $$insert into auth.api_key (organization_id, scopes, digest) values (%L, %L, sha256(%L))$$, organization('alice'),
    c.scopes, c.scopes
  ),
  c.scopes
)
from (values ('{read}'), ('{read,write}'), ('{read,write,admin}'), ('{form}')) as c (scopes);
select throws_ok('truncate auth.api_key cascade', 'PT409', 'refused', 'TRUNCATE is refused');

select * from finish();
rollback;
