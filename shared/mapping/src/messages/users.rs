use gyre_proto::api::*;

messages! {
    UpdateUserStatusRequest { users, state }
    UpdateUserStatusResult {}
    UpdateUserStatusResponse { error, result }
    GetUserStatusRequest { users }
    GetUserStatusResult { statuses always }
    GetUserStatusResponse { error, result }
    UserStatus { user, active, online, state }
    DeleteUserStatusRequest { users }
    DeleteUserStatusResult {}
    DeleteUserStatusResponse { error, result }
    BlockUserRequest { expire_at, user }
    BlockUserResult {}
    BlockUserResponse { error, result }
    UnblockUserRequest { user }
    UnblockUserResult {}
    UnblockUserResponse { error, result }
    RevokeTokenRequest { expire_at, uid }
    RevokeTokenResult {}
    RevokeTokenResponse { error, result }
    InvalidateUserTokensRequest { expire_at, user, issued_before, channel }
    InvalidateUserTokensResult {}
    InvalidateUserTokensResponse { error, result }
}
