//! The contract of the store ports as tests, one function a sentence of the ports' docs. Every adapter passes all of them.
//!
//! ```text
//! mango_testkit::contract_suite!(fresh_database());
//! ```
//!
//! expands to one test a case, each over its own `fresh_database().await`, which gives a
//! [`StoreFixture`](crate::StoreFixture).

pub mod audit;
pub mod changes;
pub mod chats;
pub mod likes;
pub mod messages;
pub mod sessions;
pub mod users;

use std::sync::Arc;

use tokio::sync::Barrier;

/// Makes a test of every case of the contract suite. The argument is an asynchronous expression that gives a
/// [`StoreFixture`](crate::StoreFixture) over a fresh, empty store; it runs once a test.
#[macro_export]
macro_rules! contract_suite {
    ($make:expr) => {
        $crate::contract_suite!(@port $make, users:
            a_new_user_is_found_as_created
            a_user_may_have_nothing_but_a_phone_and_a_password
            unknown_users_are_absent
            phones_are_unique
            of_concurrent_creations_with_one_phone_one_succeeds
            credentials_are_those_of_the_phone
            an_update_changes_what_it_names
            an_update_empties_fields
            an_update_of_nothing_changes_nothing
            an_update_of_nobody_is_none
            an_update_may_depend_on_the_password
            the_password_of_a_user_is_the_one_of_their_phone
            an_update_reports_the_old_photo
            an_update_reports_a_new_phone
            an_update_takes_a_free_phone
            an_update_does_not_take_a_taken_phone
            of_concurrent_updates_to_one_phone_one_succeeds
            a_new_password_revokes_all_sessions_but_the_kept
            a_new_password_revokes_all_sessions_when_none_is_kept
            other_updates_revoke_nothing
            a_hash_is_replaced_unless_the_password_has_changed
            briefs_are_those_that_exist_in_order
            briefs_take_as_many_as_a_group_has
            named_photos_are_those_that_users_have
            named_photos_are_found_among_any_number
            seen_never_moves_backwards
        );
        $crate::contract_suite!(@port $make, sessions:
            a_session_is_live_for_its_user_until_revoked
            a_session_begins_with_the_password_of_now
            a_session_that_has_ended_changes_nothing
            the_end_of_a_session_is_seen_at_once
            unknown_tokens_are_unknown
            the_base_gives_another_successor
            a_used_successor_becomes_the_base
            siblings_live_until_one_is_used
            an_old_base_revokes_the_session
            a_reuse_leaves_other_sessions_alone
            expired_tokens_are_unknown
            a_successor_has_its_own_expiry
            tokens_of_a_revoked_session_are_unknown
            concurrent_presentations_of_the_base_all_succeed
            of_concurrent_siblings_one_succeeds
            base_and_successor_at_once_are_decided_in_some_order
            purge_forgets_what_has_expired
            purge_keeps_a_session_with_a_token_left
            a_session_has_so_many_siblings
            a_session_has_so_many_ancestors
            what_a_session_got_lately_is_known
            a_session_that_wants_too_many_tokens_is_revoked
            a_session_is_listed_as_it_began
            a_refresh_is_a_use_of_its_session
            a_list_has_the_live_sessions_of_the_user
            a_list_has_the_sessions_that_are_good_for_something
            a_list_of_sessions_has_an_end
            addresses_are_those_of_the_live_sessions_of_a_phone
            addresses_have_an_end
            all_sessions_but_one_are_revoked
        );
        $crate::contract_suite!(@port $make, chats:
            a_new_group_is_as_its_creator_sees_it
            a_group_has_its_creator_alone_if_so_asked
            unknown_members_create_nothing
            a_group_may_have_many_members
            equal_groups_are_different_chats
            a_pair_has_one_direct_chat
            an_existing_direct_chat_is_as_the_caller_sees_it
            concurrent_creations_from_both_sides_give_one_chat
            the_list_is_ordered_by_activity
            chats_of_one_moment_are_ordered_by_id
            the_list_shows_members_last_messages_likes_and_pins
            the_list_has_only_chats_of_the_user
            the_pinned_list_has_only_the_pinned
            a_large_list_comes_in_pages
            a_page_of_chats_has_a_size
            a_chat_is_found_by_its_members_alone
            ids_are_those_of_all_chats_of_the_user
            pins_are_toggled_by_members_alone
            concurrent_pin_toggles_are_decided_one_after_the_other
        );
        $crate::contract_suite!(@port $make, messages:
            an_appended_message_is_read_as_sent
            seqs_start_at_one_in_every_chat
            concurrent_appends_leave_no_hole
            a_refused_sender_leaves_no_hole
            times_keep_their_microseconds
            content_survives_exactly
            every_type_survives
            a_page_is_for_members_alone
            an_empty_chat_has_an_empty_page
            pages_are_exact_for_every_request
            reading_back_and_forth_meets_every_message_once
            a_page_has_a_size
            a_page_has_so_many_likes
            the_largest_page_is_full
            a_page_shows_likes
        );
        $crate::contract_suite!(@port $make, likes:
            a_like_is_given_and_taken_back
            likes_are_for_members_alone
            likes_of_different_messages_do_not_mix
            concurrent_likes_are_counted_one_after_the_other
            concurrent_toggles_of_one_user_alternate
            likes_are_shown_in_order_of_user
        );
        $crate::contract_suite!(@port $make, changes:
            a_client_id_stands_for_one_message
            a_message_sent_again_is_as_it_is_now
            a_message_keeps_its_client_id_and_its_version
            events_come_in_the_order_of_versions
            a_chat_that_was_there_is_told_to_who_asks
            a_chat_opened_again_is_told_in_its_order
            what_changed_is_told_from_any_version
            a_part_of_the_chats_is_told_alone
            every_chat_is_reached_while_others_change
            pages_of_changes_add_up
            pages_hold_messages_and_not_versions
            an_answer_is_kept_to_a_size
            an_answer_is_kept_to_so_many_members
            an_answer_is_kept_to_so_many_likes
            an_answer_leaves_nothing_out_while_chats_change
            gone_chats_and_pins_are_told
            a_client_from_elsewhere_is_reset
            a_changed_profile_is_told_to_those_who_see_it
            changed_profiles_are_told_in_pages
            a_changed_profile_is_published
            no_change_of_a_profile_is_skipped
            a_client_from_a_future_of_profiles_is_reset
        );
        $crate::contract_suite!(@port $make, audit:
            entries_are_read_as_written_the_newest_first
            old_entries_are_pruned
        );
    };
    (@port $make:expr, $port:ident: $($case:ident)*) => {
        mod $port {
            use super::*;

            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    let fixture = $make.await;
                    $crate::suite::$port::$case($crate::StoreFixture::stores(&fixture)).await;
                }
            )*
        }
    };
}

/// Runs the tasks at the same time, all released at once, and gives their results in the order of the tasks.
pub async fn together<F>(tasks: impl IntoIterator<Item = F>) -> Vec<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    let tasks: Vec<F> = tasks.into_iter().collect();
    let start = Arc::new(Barrier::new(tasks.len()));
    let handles: Vec<_> = tasks
        .into_iter()
        .map(|task| {
            let start = Arc::clone(&start);
            tokio::spawn(async move {
                start.wait().await;
                task.await
            })
        })
        .collect();
    let mut results = Vec::new();
    for handle in handles {
        results.push(handle.await.expect("a task that does not panic"));
    }
    results
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    /// The cases in the files below a folder, this one apart.
    fn cases(folder: &Path) -> Vec<String> {
        let mut cases = Vec::new();
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                cases.extend(self::cases(&path));
            } else if !path.ends_with("suite/mod.rs") {
                let source = fs::read_to_string(path).unwrap();
                let names = source.lines().filter_map(|line| line.strip_prefix("pub async fn "));
                cases.extend(names.filter_map(|rest| rest.split('(').next()).map(str::to_owned));
            }
        }
        cases
    }

    /// A case that is written and not listed in the macro would never run.
    #[test]
    fn every_case_is_in_the_macro() {
        let cases = cases(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/suite"));
        assert!(cases.len() > 60, "only {} cases are found", cases.len());
        for case in cases {
            let is_listed = include_str!("mod.rs").lines().any(|line| line.trim() == case);
            assert!(is_listed, "{case} is not in contract_suite!");
        }
    }
}
